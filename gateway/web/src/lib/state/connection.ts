/** Whether the page hears the server, and what it missed. Being away is a state, not a fault. Pure. */
import type { Job } from '$lib/api/contract';

export interface ConnectionState {
  /** "returning": it hears again, and what was missed is being told. */
  phase: 'connecting' | 'returning' | 'live' | 'away';
  /** When the page heard something last before it was away, in milliseconds since 1970. */
  since: number | undefined;
  /** What ended while it was away, so far. */
  missed: Missed;
  /** What to tell about that; undefined: nothing, or it was read. */
  news: (Missed & { ms: number }) | undefined;
}

export interface Missed {
  pictures: number;
  /** Jobs that failed or expired. */
  failed: number;
}

export type ConnectionEvent =
  /** The stream is there. */
  | { kind: 'opened'; at: number }
  /** It broke, or could not be opened; `at`: when something was heard last. */
  | { kind: 'lost'; at: number }
  /** This browser listened the last time then. */
  | { kind: 'left'; at: number }
  /** A job of this page's user ended. */
  | { kind: 'ended'; job: Pick<Job, 'state' | 'outputs'> }
  /** All that was missed has been told. */
  | { kind: 'caught_up'; at: number }
  /** The news were read. */
  | { kind: 'read' }
  /** Another tab, which has the stream, says how it stands. */
  | { kind: 'handed_over'; state: ConnectionState };

const NONE: Missed = { pictures: 0, failed: 0 };
/** Shorter absences are not worth a word. */
const WORTH_TELLING_MS = 3000;

export const initial: ConnectionState = { phase: 'connecting', since: undefined, missed: NONE, news: undefined };

export function fold(state: ConnectionState, event: ConnectionEvent): ConnectionState {
  switch (event.kind) {
    case 'opened':
      return { ...state, phase: 'returning', missed: NONE };
    case 'lost':
      return { ...state, phase: 'away', since: state.phase === 'live' ? event.at : (state.since ?? event.at) };
    case 'left':
      return { ...state, since: event.at };
    case 'ended':
      return state.phase === 'returning' ? { ...state, missed: plus(state.missed, event.job) } : state;
    case 'caught_up':
      return { phase: 'live', since: undefined, missed: NONE, news: newsOf(state, event.at) ?? state.news };
    case 'read':
      return { ...state, news: undefined };
    case 'handed_over':
      return { ...event.state, news: state.news };
  }
}

function plus(missed: Missed, job: Pick<Job, 'state' | 'outputs'>): Missed {
  const hasFailed = job.state === 'JOB_STATE_FAILED' || job.state === 'JOB_STATE_EXPIRED';
  const pictures = job.outputs.filter(({ kind }) => kind === 'OUTPUT_KIND_FINAL').length;
  return { pictures: missed.pictures + pictures, failed: missed.failed + Number(hasFailed) };
}

function newsOf({ since, missed }: ConnectionState, at: number): ConnectionState['news'] {
  if (since === undefined || at - since < WORTH_TELLING_MS) return undefined;
  return missed.pictures + missed.failed > 0 ? { ...missed, ms: at - since } : undefined;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

/** How long to wait before the next try; `chance` (0..1) spreads the pages of a house. */
export function pauseMs(failures: number, chance: number): number {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, failures - 1));
  return longest * (0.5 + chance / 2);
}
