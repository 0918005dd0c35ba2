/** Seeds go up to 2^64-1, and numbers of JSON do not: beyond 2^53 they are their digits. Pure. */
import type { Json } from '$lib/api/contract';

/** What somebody typed as the value of a seed; undefined: nothing, so it is a new one each time. */
export function readSeed(typed: string): Json | undefined {
  const text = typed.trim();
  if (text === '' || text === '-1') return undefined; // -1 is A1111's word for it
  return /^\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text;
}
