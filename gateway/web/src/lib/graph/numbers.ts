/** Numbers as people type them, with the limits of their field. Pure. */
import type { InputKind } from './definitions';
import type { Value } from './json';

const LARGEST_SEED = 18446744073709551615n;

/** The number in a text; undefined: none. Whole ones of any size. */
export function readNumber(text: string, isWhole: boolean): number | bigint | undefined {
  const plain = text.trim().replace(',', '.');
  if (/^[+-]?\d+$/.test(plain)) return whole(BigInt(plain.replace('+', '')));
  if (isWhole || plain === '') return undefined;
  const number = Number(plain);
  return Number.isFinite(number) ? number : undefined;
}

/** The number, or the nearest one that the field allows. */
export function within(value: number | bigint, kind: InputKind | undefined): number | bigint {
  if (kind?.minimum !== undefined && value < kind.minimum) return kind.minimum;
  if (kind?.maximum !== undefined && value > kind.maximum) return kind.maximum;
  return value;
}

/** One step of the field up or down. */
export function stepped(value: Value | undefined, by: 1 | -1, kind: InputKind | undefined): number | bigint {
  const from = typeof value === 'number' || typeof value === 'bigint' ? value : 0;
  const step = kind?.step ?? (kind?.type === 'FLOAT' ? 0.01 : 1);
  if (Number.isInteger(step) && (typeof from === 'bigint' || Number.isInteger(from))) {
    return within(whole(BigInt(from) + BigInt(by * step)), kind);
  }
  // 0.1 + 0.2 is to be 0.3: as many digits as the two have.
  const digits = Math.max(digitsOf(Number(from)), digitsOf(step));
  return within(Number((Number(from) + by * step).toFixed(digits)), kind);
}

/** A seed out of eight random bytes that the field allows. */
export function seedOf(random: BigUint64Array, kind: InputKind | undefined): number | bigint {
  const most = BigInt(kind?.maximum ?? LARGEST_SEED);
  return whole((random[0] ?? 0n) % (most + 1n));
}

/** Bigints only where they are needed, as in graphs. */
function whole(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function digitsOf(value: number): number {
  const [, exponent] = String(value).split('e-');
  return exponent ? Number(exponent) : (String(value).split('.')[1]?.length ?? 0);
}
