/** What is done to pictures of a gallery: at once on the page, and taken back where the server refuses. */
import { forEach } from '$lib/api/at_once';
import { call } from '$lib/api/call';
import { messageOf } from '$lib/api/errors';
import type { Asset } from '$lib/api/contract';
import { text } from '$lib/i18n/index.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import type { Gallery } from './gallery.svelte';

/** Marks pictures as favorites, or no longer. */
export async function setFavorite(gallery: Gallery, assets: readonly Asset[], favorite: boolean): Promise<void> {
  const changing = assets.filter((asset) => asset.favorite !== favorite);
  gallery.send({ kind: 'changed', assets: changing.map((asset) => ({ ...asset, favorite })) });
  const failed = await gallery.change(() =>
    tryEach(changing, ({ digest }) => call('UpdateAsset', { digest, favorite })),
  );
  gallery.send({ kind: 'changed', assets: failed });
}

/** Deletes pictures, and offers to bring them back. */
export async function remove(gallery: Gallery, digests: readonly string[]): Promise<void> {
  const done = await takeAway(gallery, digests, (digest) => call('DeleteAsset', { digest }));
  if (done.length === 0) return;
  const run = () => void undo(gallery, done);
  toasts.show(text.gallery.deleted(done.length), { action: { label: text.app.undo, run } });
}

/** Brings deleted pictures back, out of the list of deleted ones. */
export async function bringBack(gallery: Gallery, digests: readonly string[]): Promise<void> {
  const done = await takeAway(gallery, digests, (digest) => call('UndeleteAsset', { digest }));
  if (done.length > 0) toasts.show(text.gallery.broughtBack(done.length));
}

/** Removes pictures that nobody can bring back then. */
export async function removeForGood(gallery: Gallery, digests: readonly string[]): Promise<void> {
  const done = await takeAway(gallery, digests, (digest) => call('DeleteAsset', { digest, permanently: true }));
  if (done.length > 0) toasts.show(text.gallery.gone(done.length));
}

async function undo(gallery: Gallery, digests: readonly string[]): Promise<void> {
  gallery.send({ kind: 'restored', digests });
  const failed = await gallery.change(() => tryEach(digests, (digest) => call('UndeleteAsset', { digest })));
  gallery.send({ kind: 'hidden', digests: failed });
}

/** What could be done; what could not is shown again. */
async function takeAway(
  gallery: Gallery,
  digests: readonly string[],
  act: (digest: string) => Promise<unknown>,
): Promise<string[]> {
  gallery.send({ kind: 'hidden', digests });
  const failed = new Set(await gallery.change(() => tryEach(digests, act)));
  const done = digests.filter((digest) => !failed.has(digest));
  gallery.send({ kind: 'restored', digests: [...failed] }, { kind: 'gone', digests: done });
  return done;
}

/** Gives those for which it failed, and tells why. */
async function tryEach<Item>(items: readonly Item[], act: (item: Item) => Promise<unknown>): Promise<Item[]> {
  const failed: Item[] = [];
  let reason = '';
  await forEach(items, async (item) => {
    try {
      await act(item);
    } catch (error) {
      failed.push(item);
      reason = messageOf(error);
    }
  });
  if (failed.length > 0) toasts.show(text.gallery.failed(failed.length, reason), { kind: 'problem' });
  return failed;
}
