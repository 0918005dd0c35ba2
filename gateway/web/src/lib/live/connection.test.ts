// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ApiError, Unreachable } from '$lib/api/errors';
import type { ConnectionEvent } from '$lib/state/connection';
import { keepConnected } from './connection';
import type { Reader } from './stream';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A gateway: what it does each time that it is asked, and with which tokens it was. */
class Gateway {
  readonly tokens: string[] = [];
  constructor(private readonly runs: ((reader: Reader, signal: AbortSignal) => void | Promise<void>)[]) {}

  open = async (token: string, reader: Reader, signal: AbortSignal): Promise<void> => {
    this.tokens.push(token);
    await (this.runs.shift() ?? untilStopped)(reader, signal);
  };
}

const untilStopped = (_: Reader, signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
const tells =
  (...ids: string[]) =>
  (reader: Reader) => {
    reader.opened();
    reader.isAlive();
    ids.forEach((id) => reader.told({ name: 'progress', data: '{}', id }));
  };
const refuses = (status: number, retryAfter?: number) => () => {
  throw new ApiError(status, 'no', '', [], retryAfter);
};
const isDown = () => {
  throw new Unreachable('down');
};

async function listening(gateway: Gateway, until: () => boolean, token = '') {
  const events: ConnectionEvent['kind'][] = [];
  let isLockedOut = false;
  const stop = new AbortController();
  const listener = {
    told: () => undefined,
    changed: ({ kind }: ConnectionEvent) => events.push(kind),
    lockedOut: () => (isLockedOut = true),
  };
  const running = keepConnected(listener, token, stop.signal, gateway.open);
  for (let second = 0; second < 60 && !until(); second += 1) await vi.advanceTimersByTimeAsync(1000);
  const result = { events, isLockedOut };
  stop.abort();
  await running;
  return result;
}

test('it goes on after the last event that had a token, and says what becomes of the connection', async () => {
  const gateway = new Gateway([tells('T1', 'T2', ''), isDown, refuses(503), tells('T3')]);
  const { events } = await listening(gateway, () => gateway.tokens.length === 5, 'T0');
  expect(gateway.tokens).toEqual(['T0', 'T2', 'T2', 'T2', 'T3']);
  expect(events).toEqual(['opened', 'lost', 'lost', 'lost', 'opened', 'lost']);
});

test('a token that is not understood is given up', async () => {
  const gateway = new Gateway([refuses(400)]);
  await listening(gateway, () => gateway.tokens.length === 2, 'forged');
  expect(gateway.tokens).toEqual(['forged', '']);
});

test('it waits as long as it is asked to', async () => {
  const gateway = new Gateway([refuses(429, 30)]);
  const started = Date.now();
  await listening(gateway, () => gateway.tokens.length === 2);
  expect(Date.now() - started).toBeGreaterThanOrEqual(30_000);
});

test('a network that is back is used at once', async () => {
  const gateway = new Gateway([refuses(503, 3600)]);
  setTimeout(() => dispatchEvent(new Event('online')), 2000);
  await listening(gateway, () => gateway.tokens.length === 2);
  expect(gateway.tokens).toHaveLength(2);
});

test('a key that is not good is told, and tried on until somebody ends it', async () => {
  const gateway = new Gateway([refuses(401)]);
  const { isLockedOut } = await listening(gateway, () => gateway.tokens.length === 2);
  expect(isLockedOut).toBe(true);
});
