/** Pictures among what was dropped or pasted. Pure. */

/** The kinds that the server opens. */
const KINDS = new Set(['image/png', 'image/jpeg', 'image/webp', 'image/gif']);

/** The first picture among files; undefined: there is none. */
export function pictureIn(files: Iterable<File> | FileList | null | undefined): File | undefined {
  return [...(files ?? [])].find(({ type }) => KINDS.has(type));
}
