/** Pictures among what was dropped or pasted. Pure. */

/** The media types that the server opens. */
export const PICTURE_TYPES: readonly string[] = ['image/png', 'image/jpeg', 'image/webp'];

/** The first picture among files, of whatever kind: the server says which it does not open. */
export function pictureIn(files: Iterable<File> | FileList | null | undefined): File | undefined {
  return [...(files ?? [])].find(({ type }) => type.startsWith('image/'));
}
