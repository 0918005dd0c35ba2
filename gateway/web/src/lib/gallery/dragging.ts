/** A picture that is dragged from the gallery: onto an image input, into another program, onto the desktop. */
import type { Asset } from '$lib/api/contract';
import { fileName, pictureUrl } from './files';

/** The kind of data that holds the digest. */
export const DRAGGED_ASSET = 'application/x-imagegen-asset';

/** Says what is dragged. */
export function dragged(data: DataTransfer | null, asset: Asset): void {
  if (!data) return;
  const url = new URL(pictureUrl(asset), location.href).href;
  data.effectAllowed = 'copy';
  data.setData(DRAGGED_ASSET, asset.digest);
  data.setData('text/uri-list', url);
  data.setData('DownloadURL', `${asset.media_type}:${fileName(asset)}:${url}`); // Chromium makes a file of it
}

/** The digest of what is dropped; undefined: no picture of the gallery. */
export function droppedDigest(data: DataTransfer | null): string | undefined {
  const digest = data?.getData(DRAGGED_ASSET) ?? '';
  return /^[0-9a-f]{64}$/.test(digest) ? digest : undefined;
}
