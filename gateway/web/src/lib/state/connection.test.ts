import { expect, test } from 'vitest';
import type { Job } from '$lib/api/contract';
import { fold, initial, pauseMs, type ConnectionEvent } from './connection';

const after = (...events: ConnectionEvent[]) => events.reduce(fold, initial);
const LIVE: ConnectionEvent[] = [
  { kind: 'opened', at: 0 },
  { kind: 'caught_up', at: 0 },
];
const ended = (state: Job['state'], pictures: number): ConnectionEvent => {
  const outputs = Array.from({ length: pictures }, () => ({ kind: 'OUTPUT_KIND_FINAL' }));
  return { kind: 'ended', job: { state, outputs } as Job };
};
const DONE = ended('JOB_STATE_SUCCEEDED', 3);
const FAILED = ended('JOB_STATE_FAILED', 0);

test.each<[string, ConnectionEvent[]]>([
  ['after a break', [...LIVE, { kind: 'lost', at: 1000 }, { kind: 'lost', at: 5000 }]],
  ['after a reload', [{ kind: 'left', at: 1000 }]],
  [
    'after a break of a break',
    [...LIVE, { kind: 'lost', at: 1000 }, { kind: 'opened', at: 2000 }, { kind: 'lost', at: 2500 }],
  ],
])('%s it tells once what ended meanwhile', (_, before) => {
  const state = after(...before, { kind: 'opened', at: 8000 }, DONE, FAILED, { kind: 'caught_up', at: 9000 }, DONE);
  expect(state.phase).toBe('live');
  expect(state.news).toEqual({ pictures: 3, failed: 1, ms: 8000 });
  expect(fold(state, { kind: 'read' }).news).toBeUndefined();
});

test.each<[string, ConnectionEvent[]]>([
  [
    'nothing ended',
    [...LIVE, { kind: 'lost', at: 0 }, { kind: 'opened', at: 60_000 }, { kind: 'caught_up', at: 60_000 }],
  ],
  [
    'it was a moment only',
    [...LIVE, { kind: 'lost', at: 0 }, { kind: 'opened', at: 900 }, DONE, { kind: 'caught_up', at: 999 }],
  ],
  ['it was never there before', [{ kind: 'opened', at: 0 }, DONE, { kind: 'caught_up', at: 9000 }]],
])('it tells nothing where %s', (_, events) => {
  expect(after(...events)).toMatchObject({ phase: 'live', news: undefined });
});

test('news stay until they are read, whatever the connection does', () => {
  const state = after({ kind: 'left', at: 1000 }, { kind: 'opened', at: 8000 }, DONE, { kind: 'caught_up', at: 9000 });
  const again = [
    { kind: 'lost', at: 9500 },
    { kind: 'opened', at: 9600 },
    { kind: 'caught_up', at: 9700 },
  ] as const;
  expect(again.reduce(fold, state).news).toEqual(state.news);
  expect(fold(state, { kind: 'handed_over', state: after(...LIVE) })).toMatchObject({
    phase: 'live',
    news: state.news,
  });
});

test('pauses grow to a bound, and are spread', () => {
  expect([1, 2, 3, 20].map((failures) => pauseMs(failures, 1))).toEqual([500, 1000, 2000, 10_000]);
  expect(pauseMs(1, 0)).toBe(250);
});
