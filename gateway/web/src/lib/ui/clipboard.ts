/** What is copied: also where the page comes over plain HTTP and browsers offer no clipboard. */
import { text } from '$lib/i18n/index.svelte';
import { toasts } from '$lib/state/toasts.svelte';

/** Puts something into the clipboard and says so, in these words; or that it could not be done. */
export async function copy(what: string, done: string): Promise<void> {
  if (await copyText(what)) toasts.show(done);
  else toasts.show(text.app.notCopied, { kind: 'problem' });
}

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'sr-only';
  // Inside an open dialog only what is in it can be selected.
  const place = document.activeElement?.closest('dialog') ?? document.body;
  const focused = document.activeElement;
  place.append(field);
  field.select();
  const isCopied = document.execCommand('copy');
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}
