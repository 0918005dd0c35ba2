/** What the settings panel does: reads, saves, and tells the store what came of it. */
import { call } from '$lib/api/call';
import { ApiError, fieldErrors, messageOf } from '$lib/api/errors';
import { changeOf, fold, initial, type SettingsEvent, type SettingsState } from '$lib/state/settings';
import { Store } from '$lib/state/store.svelte';

export const settings = new Store<SettingsState, SettingsEvent>(initial, fold);

/** How often settings were saved: what was read meanwhile may be from before it. */
let saved = 0;

/** Reads what counts now; what is being changed is kept. Throws as `call`. */
export async function read(): Promise<void> {
  const before = saved;
  const answer = await call('GetSettings');
  if (before !== saved) return read();
  settings.send({ kind: 'read', answer });
}

/** Saves what was changed, or another change instead. Gives whether that went well; what did not is in the store. */
export async function save(draft = settings.state.draft): Promise<boolean> {
  const { version } = settings.state;
  settings.send({ kind: 'saving' });
  try {
    const answer = await call('UpdateSettings', { ...changeOf(draft), expected_version: version });
    saved += 1;
    settings.send({ kind: 'saved', answer, sent: draft });
    return true;
  } catch (error) {
    const changedMeanwhile = error instanceof ApiError && error.reason === 'CHANGED_MEANWHILE';
    const errors = fieldErrors(error, 'settings.');
    const message = changedMeanwhile || Object.keys(errors).length > 0 ? '' : messageOf(error);
    settings.send({ kind: 'refused', message, errors, changedMeanwhile });
    if (changedMeanwhile) await read().catch(() => undefined); // offline now: the banner tells
    return false;
  }
}
