/** A language in which every text of a catalogue can be told from one that was written into a component. Pure. */

const ACCENTS: Record<string, string> = {
  a: 'á',
  e: 'é',
  i: 'í',
  o: 'ó',
  u: 'ú',
  A: 'Á',
  E: 'É',
  I: 'Í',
  O: 'Ó',
  U: 'Ú',
};

/** The same texts with accents. */
export function pseudo<T>(catalogue: T): T {
  if (typeof catalogue === 'string') return accented(catalogue) as T;
  if (typeof catalogue === 'function') {
    return ((...given: unknown[]) => accented(String(catalogue(...given)))) as T;
  }
  if (Array.isArray(catalogue)) return catalogue.map(pseudo) as T;
  if (typeof catalogue !== 'object' || catalogue === null) return catalogue;
  return Object.fromEntries(Object.entries(catalogue).map(([name, part]) => [name, pseudo(part)])) as T;
}

function accented(text: string): string {
  return text.replace(/[aeiou]/gi, (letter) => ACCENTS[letter] ?? letter);
}
