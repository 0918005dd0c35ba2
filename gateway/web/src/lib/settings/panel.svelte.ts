/** What the settings panel does: reads, saves, and tells the store what came of it. */
import { call } from '$lib/api/call';
import { ApiError, fieldErrors, messageOf } from '$lib/api/errors';
import { changeOf, fold, initial, type SettingsEvent, type SettingsState } from '$lib/state/settings';
import { Store } from '$lib/state/store.svelte';

export const settings = new Store<SettingsState, SettingsEvent>(initial, fold);

/** Reads what counts now; what is being changed is kept. Throws as `call`. */
export async function read(): Promise<void> {
  settings.send({ kind: 'read', answer: await call('GetSettings') });
}

/** Saves what was changed. Gives whether that went well; what did not is in the store. */
export async function save(): Promise<boolean> {
  const { draft, version } = settings.state;
  settings.send({ kind: 'saving' });
  try {
    const answer = await call('UpdateSettings', { ...changeOf(draft), expected_version: version });
    settings.send({ kind: 'saved', answer });
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
