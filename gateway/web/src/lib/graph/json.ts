/** JSON as graphs hold it: whole numbers go up to 2^64-1, which a JavaScript number does not hold. Pure. */

/** A JSON value; a whole number beyond 2^53 is a bigint. */
export type Value = null | boolean | number | string | bigint | readonly Value[] | { readonly [name: string]: Value };

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const WHOLE = /^-?\d{16,}$/;

/** The value of a JSON text. Throws SyntaxError. */
export function parseJson(text: string): Value {
  const mark = markNotIn(text);
  const marked = text.replace(TOKEN, (token) => (isLarge(token) ? `"${mark}${token}"` : token));
  return JSON.parse(marked, (_, value: unknown) =>
    typeof value === 'string' && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value,
  ) as Value;
}

/** The text of a value. `indent` as of JSON.stringify. */
export function writeJson(value: Value, indent?: number): string {
  const plain = JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? 0 : each)) ?? '';
  const mark = markNotIn(plain);
  const marked = JSON.stringify(
    value,
    (_, each: unknown) => (typeof each === 'bigint' ? `${mark}${each}` : each),
    indent,
  );
  return marked.replaceAll(new RegExp(`"${mark}(-?\\d+)"`, 'g'), '$1');
}

/** The shortest of our marks that does not occur in a text. */
function markNotIn(text: string): string {
  let mark = 'whole:';
  while (text.includes(mark)) mark += ':';
  return mark;
}

function isLarge(token: string): boolean {
  return WHOLE.test(token) && !Number.isSafeInteger(Number(token));
}
