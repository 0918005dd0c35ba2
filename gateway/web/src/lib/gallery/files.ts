/** Pictures as files: where they are and what they are called. Pure. */
import type { Asset } from '$lib/api/contract';
import { assetUrl } from '$lib/api/call';

/** What is said about how it was made inside a file that is downloaded. */
export type Metadata = 'keep' | 'strip' | 'a1111';

/** The address of a picture, also of a deleted one. */
export function pictureUrl(asset: Asset, width?: number): string {
  const url = assetUrl(asset.digest, width);
  if (!asset.delete_time) return url;
  return `${url}${width ? '&' : '?'}deleted=true`;
}

export function downloadUrl(asset: Asset, metadata: Metadata = 'keep'): string {
  return metadata === 'keep' ? pictureUrl(asset) : `${assetUrl(asset.digest)}?metadata=${metadata}`;
}

/** A name that tells the picture: the day, the beginning of the prompt, the seed. */
export function fileName(asset: Asset): string {
  const { source } = asset;
  const day = asset.create_time?.slice(0, 10);
  const words = source?.prompt
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .slice(0, 48)
    .replace(/^-+|-+$/g, '');
  const seed = source?.seed ?? asset.digest.slice(0, 8);
  const ending = asset.media_type.replace(/^image\//, '').replace('jpeg', 'jpg');
  return `${[day, words, seed].filter(Boolean).join('_')}.${ending}`;
}
