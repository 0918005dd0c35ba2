/** A picture that is dragged from the gallery onto an image input. */

/** The kind of data that holds the digest. */
export const DRAGGED_ASSET = 'application/x-imagegen-asset';

/** The digest of what is dropped; undefined: no picture of the gallery. */
export function droppedDigest(data: DataTransfer | null): string | undefined {
  const digest = data?.getData(DRAGGED_ASSET) ?? '';
  return /^[0-9a-f]{64}$/.test(digest) ? digest : undefined;
}
