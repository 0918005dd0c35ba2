/** Pictures among what was dropped or pasted. Pure. */

/** The kinds that the server opens, as file choosers want them. */
export const KINDS = 'image/png,image/jpeg,image/webp';

/** The first picture among files, of whatever kind: the server says which it does not open. */
export function pictureIn(files: Iterable<File> | FileList | null | undefined): File | undefined {
  return [...(files ?? [])].find(({ type }) => type.startsWith('image/'));
}
