/** Whether the page hears the server. Being away is a state, not a fault. Pure. */

export interface ConnectionState {
  phase: 'connecting' | 'live' | 'away';
  /** When the stream was lost, in milliseconds since 1970; undefined: it is there, or never was. */
  since: number | undefined;
  /** How often opening it has failed since then. */
  failures: number;
}

export type ConnectionEvent = { kind: 'opened' } | { kind: 'lost'; at: number };

export const initial: ConnectionState = { phase: 'connecting', since: undefined, failures: 0 };

export function fold(state: ConnectionState, event: ConnectionEvent): ConnectionState {
  if (event.kind === 'opened') return { phase: 'live', since: undefined, failures: 0 };
  return { phase: 'away', since: state.since ?? event.at, failures: state.failures + 1 };
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

/** How long to wait before the next try; `chance` (0..1) spreads the pages of a house. */
export function pauseMs(failures: number, chance: number): number {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, failures - 1));
  return longest * (0.5 + chance / 2);
}
