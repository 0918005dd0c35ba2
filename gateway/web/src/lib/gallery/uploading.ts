/** Pictures of this machine into the gallery. */
import { upload } from '$lib/api/call';
import { messageOf } from '$lib/api/errors';
import { text } from '$lib/i18n/index.svelte';
import { toasts } from '$lib/state/toasts.svelte';

/** Uploads one after the other, and tells what became of it. Whether any has come. */
export async function uploadAll(files: readonly File[]): Promise<boolean> {
  let count = 0;
  for (const file of files) {
    try {
      await upload(file);
      count += 1;
    } catch (error) {
      toasts.show(text.gallery.uploadFailed(file.name, messageOf(error)), { kind: 'problem' });
    }
  }
  if (count > 0) toasts.show(text.gallery.uploaded(count));
  return count > 0;
}
