/** What the page says, in the language that was chosen. Each view has a catalogue of its own below `en/`. */
import { appearance } from '$lib/state/appearance.svelte';
import * as en from './en';
import { pseudo } from './pseudo';

export type Catalogue = typeof en;

/** Every language that there is. The pseudo language shows which texts were forgotten here. */
export const LANGUAGES: Record<string, { name: string; catalogue: Catalogue }> = {
  en: { name: 'English', catalogue: en },
  'en-XA': { name: 'Pseudo', catalogue: pseudo(en) },
};

const chosen = $derived(LANGUAGES[appearance.value.language]?.catalogue ?? en);

/** The texts: `text.queue.cancel`, or `text.queue.ahead(3)` where something is filled in. */
export const text: Catalogue = new Proxy(en, {
  get: (_, view) => chosen[view as keyof Catalogue],
});

export function language(): string {
  return appearance.value.language || 'en';
}
