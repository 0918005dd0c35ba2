/**
 * One run of the stream of everything.
 *
 * Read by `fetch` and not by EventSource, which tells neither why it was refused (a key that is no longer good, a token
 * that is not understood, a gateway that restarts) nor of the pings by which a dead connection is told from a silent one.
 */
import { readError } from '$lib/api/errors';
import { caller } from '$lib/api/call';
import { parse, type Told } from './sse';

const ADDRESS = '/api/v1/events?system=true&previews=inline&max_rate_hz=10';
/** The gateway writes at least every 15 seconds. A laptop that slept finds its last sign of life long ago. */
const MAX_SILENCE_MS = 50_000;
const LOOK_EVERY_MS = 5000;

export interface Reader {
  opened(): void;
  told(told: Told): void;
  /** Bytes came. */
  isAlive(): void;
}

/** Reads until the stream ends or `signal` says so. Throws ApiError when it is refused, else what `fetch` throws. */
export async function read(token: string, reader: Reader, signal: AbortSignal): Promise<void> {
  const silence = watchSilence(signal);
  try {
    const headers = new Headers({ Accept: 'text/event-stream' });
    if (token) headers.set('Last-Event-ID', token);
    if (caller.owner) headers.set('Imagegen-Owner', caller.owner);
    const response = await fetch(ADDRESS, { headers, signal: silence.signal, cache: 'no-store' });
    if (!response.ok || !response.body) throw await readError(response);
    reader.opened();
    await readBody(response.body, reader, silence.heard);
  } finally {
    silence.stop();
  }
}

async function readBody(body: ReadableStream<Uint8Array>, reader: Reader, heard: () => void): Promise<void> {
  const bytes = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await bytes.read();
    if (done) return;
    heard();
    reader.isAlive();
    const parsed = parse(rest + decoder.decode(value, { stream: true }));
    rest = parsed.rest;
    parsed.told.forEach((told) => reader.told(told));
  }
}

/** A signal that comes also when nothing was heard for too long. */
function watchSilence(outer: AbortSignal) {
  const silence = new AbortController();
  let heardAt = Date.now();
  const timer = setInterval(() => {
    if (Date.now() - heardAt > MAX_SILENCE_MS) silence.abort();
  }, LOOK_EVERY_MS);
  return {
    signal: AbortSignal.any([outer, silence.signal]),
    heard: () => (heardAt = Date.now()),
    stop: () => clearInterval(timer),
  };
}
