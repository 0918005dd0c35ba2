import { expect, it } from 'vitest';
import type { InputKind } from './definitions';
import { readNumber, seedOf, stepped, within } from './numbers';

const kind = (limits: Partial<InputKind>) => limits as InputKind;

it.each([
  ['20', true, 20],
  [' -3 ', true, -3],
  ['18446744073709551615', true, 18446744073709551615n],
  ['9007199254740991', true, 9007199254740991],
  ['1.5', true, undefined],
  ['1.5', false, 1.5],
  ['1,5', false, 1.5],
  ['1e-3', false, 0.001],
  ['', false, undefined],
  ['abc', false, undefined],
])('%j (whole: %s) is %s', (text, isWhole, expected) => expect(readNumber(text, isWhole)).toBe(expected));

it('steps as the field says, within its limits', () => {
  expect(stepped(0.2, 1, kind({ type: 'FLOAT', step: 0.1 }))).toBe(0.3);
  expect(stepped(512, -1, kind({ type: 'INT', step: 8, minimum: 508 }))).toBe(508);
  expect(stepped(18446744073709551614n, 1, kind({ type: 'INT', maximum: 18446744073709551615n }))).toBe(
    18446744073709551615n,
  );
  expect(stepped(undefined, 1, undefined)).toBe(1);
});

it('keeps numbers within the limits', () => {
  expect(within(99, kind({ maximum: 10 }))).toBe(10);
  expect(within(-1, kind({ minimum: 0 }))).toBe(0);
});

it('rolls seeds that the field allows', () => {
  expect(seedOf(BigUint64Array.of(2n ** 64n - 1n), kind({}))).toBe(18446744073709551615n);
  expect(seedOf(BigUint64Array.of(1001n), kind({ maximum: 9 }))).toBe(1);
});
