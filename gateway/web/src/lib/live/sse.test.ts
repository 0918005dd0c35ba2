import { expect, test } from 'vitest';
import { parse } from './sse';

const WIRE = 'retry: 1500\n\nid: T1\nevent: progress\ndata: {"a": 1}\n\n: ping\n\nevent: ready\ndata: {}\n\n';
const TOLD = [
  { name: 'progress', data: '{"a": 1}', id: 'T1' },
  { name: 'ready', data: '{}', id: '' },
];

test('events are told with their ids, and pings tell nothing', () => {
  expect(parse(WIRE)).toEqual({ told: TOLD, rest: '' });
});

test('it does not matter where the bytes are cut', () => {
  for (let cut = 0; cut <= WIRE.length; cut += 1) {
    const first = parse(WIRE.slice(0, cut));
    const second = parse(first.rest + WIRE.slice(cut));
    expect([...first.told, ...second.told]).toEqual(TOLD);
    expect(second.rest).toBe('');
  }
});
