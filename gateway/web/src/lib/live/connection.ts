/** Keeps the stream open: opened again after each break, with the token of what was told last. */
import { ApiError } from '$lib/api/errors';
import { pauseMs, type ConnectionEvent } from '$lib/state/connection';
import type { Told } from './sse';
import { read, type Reader } from './stream';

export interface Listener {
  told(told: Told): void;
  /** What became of the connection. */
  changed(event: ConnectionEvent): void;
  /** The key is not good, or no longer: whoever hears it ends this, or lets it try on. */
  lockedOut(): void;
}

/** Reads until `signal` says so; `token`: after which event, empty: from now on. */
export async function keepConnected(
  listener: Listener,
  token: string,
  signal: AbortSignal,
  open: (token: string, reader: Reader, signal: AbortSignal) => Promise<void> = read,
): Promise<void> {
  let failures = 0;
  let aliveAt = Date.now();
  const reader: Reader = {
    opened: () => listener.changed({ kind: 'opened', at: Date.now() }),
    isAlive: () => {
      failures = 0;
      aliveAt = Date.now();
    },
    told: (told) => {
      token = told.id || token;
      listener.told(told);
    },
  };
  while (!signal.aborted) {
    const broken = await open(token, reader, signal).catch((error: unknown) => error);
    if (signal.aborted) return;
    listener.changed({ kind: 'lost', at: aliveAt });
    failures += 1;
    const status = broken instanceof ApiError ? broken.status : 0;
    if (status === 401) listener.lockedOut();
    if (status === 400) token = ''; // of another server, or of another time: begin anew
    const asked = broken instanceof ApiError ? (broken.retryAfter ?? 0) * 1000 : 0;
    await pause(Math.max(asked, pauseMs(failures, Math.random())), signal);
  }
}

/** Waits, but not longer than until the network is back, or somebody looks at the page. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = new AbortController();
    const end = () => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    const timer = setTimeout(end, ms);
    addEventListener('online', end, { signal: over.signal });
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && end(), {
      signal: over.signal,
    });
    signal.addEventListener('abort', end, { signal: over.signal });
  });
}
