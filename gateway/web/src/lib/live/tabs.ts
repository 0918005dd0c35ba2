/**
 * One stream for all tabs of this browser, which allows six connections to a server.
 *
 * The tab that holds a lock reads the stream and passes on what it is told. When it goes, the next one gets the lock at
 * once, and reads on after the last event that it was passed.
 */
import type { ConnectionEvent, ConnectionState } from '$lib/state/connection';
import type { SystemState } from '$lib/state/system';
import type { Told } from './sse';

export type Message =
  | { kind: 'told'; told: Told }
  | { kind: 'changed'; event: ConnectionEvent }
  /** A tab that has just come asks how things stand. */
  | { kind: 'hello' }
  /** The tab that reads the stream answers. */
  | { kind: 'welcome'; system: SystemState; connection: ConnectionState; token: string };

/** The other tabs of this user. */
export interface Tabs {
  say(message: Message): void;
  close(): void;
}

/** A channel to the other tabs; one that reaches nobody where the browser has none. */
export function otherTabs(who: string, hear: (message: Message) => void): Tabs {
  if (!('BroadcastChannel' in globalThis)) return { say: () => undefined, close: () => undefined };
  const channel = new BroadcastChannel(nameOf(who));
  channel.onmessage = ({ data }: MessageEvent<Message>) => hear(data);
  return { say: (message) => channel.postMessage(message), close: () => channel.close() };
}

/** How long a tab that somebody looks at waits for an answer of the one that reads the stream. */
export const PATIENCE_MS = 3000;

/**
 * Calls `lead` when this tab is the one to read the stream; `lead` ends when its signal says so. `force` takes the place
 * of a tab that does not answer, as one that its phone has put to sleep.
 */
export async function takeTurn(
  who: string,
  lead: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
  force = false,
): Promise<void> {
  if (!('locks' in navigator)) return lead(signal);
  const robbed = new AbortController();
  const lock = force ? { steal: true } : { signal };
  try {
    await navigator.locks.request(nameOf(who), lock, () => lead(AbortSignal.any([signal, robbed.signal])));
  } catch (error) {
    robbed.abort();
    if (signal.aborted || !(error instanceof DOMException)) return;
    await takeTurn(who, lead, signal); // another tab took it: line up again
  }
}

function nameOf(who: string): string {
  return `imagegen.live.${who}`;
}
