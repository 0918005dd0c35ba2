import { expect, it } from 'vitest';
import { ago, bytes, seconds, span } from './format';
import { pseudo } from './pseudo';

it.each([
  [0, '0 s'],
  [89.4, '89 s'],
  [90, '2 min'],
  [3600, '60 min'],
  [5400, '1 h 30 min'],
  [7200, '2 h'],
])('%d seconds are %s', (value, expected) => expect(span(value)).toBe(expected));

it.each([
  ['0', '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 kB'],
  [200 * 1024 ** 2, '200 MB'],
  ['1099511627776', '1.0 TB'],
])('%s bytes are %s', (value, expected) => expect(bytes(value)).toBe(expected));

it.each([
  [-3, 'now'],
  [0, 'now'],
  [59, '59 seconds ago'],
  [60, '1 minute ago'],
  [7200, '2 hours ago'],
  [86_400, 'yesterday'],
  [30 * 86_400, 'Nov 23, 2025'],
])('%d seconds past are told as %s', (past, expected) => {
  const then = new Date(2025, 10, 23, 12).getTime();
  expect(ago(new Date(then).toISOString(), 'en', then + past * 1000)).toBe(expected);
});

it('durations of the contract', () => {
  expect(seconds('3.5s')).toBe(3.5);
  expect(seconds(undefined)).toBeUndefined();
});

it('the pseudo language reaches every text', () => {
  const catalogue = { a: 'one', deep: { b: (n: number) => `two ${n}`, list: [['x', 'use']] } };
  const made = pseudo(catalogue);
  expect([made.a, made.deep.b(2), made.deep.list]).toEqual(['óné', 'twó 2', [['x', 'úsé']]]);
});
