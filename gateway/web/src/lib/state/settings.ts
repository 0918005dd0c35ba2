/** What the settings panel knows: what counts, what was set here, and what is being changed. Pure. */
import type { GetSettingsResponse, Json, Settings } from '$lib/api/contract';

export interface SettingsState {
  /** What counts now; undefined until it was read. */
  effective: Settings | undefined;
  /** What was set here. */
  stored: Settings | undefined;
  version: string;
  /** What is changed and not saved yet, by path; null: as it was before it was set here. */
  draft: Readonly<Record<string, Json>>;
  /** What is wrong with a field, in the server's words, by path. */
  errors: Readonly<Record<string, string>>;
  /** What is wrong with all of it; empty: nothing. */
  problem: string;
  isSaving: boolean;
  /** Somebody else changed the settings since they were read: what is drafted is kept, and shown against the new ones. */
  wasChangedMeanwhile: boolean;
}

export type SettingsEvent =
  | { kind: 'read'; answer: GetSettingsResponse }
  | { kind: 'changed'; path: string; value: Json }
  | { kind: 'dropped'; path?: string }
  | { kind: 'saving' }
  /** `sent` is what was drafted then: what was changed since is still to be saved. */
  | { kind: 'saved'; answer: GetSettingsResponse; sent: SettingsState['draft'] }
  | { kind: 'refused'; message: string; errors: Record<string, string>; changedMeanwhile?: boolean };

export const initial: SettingsState = {
  effective: undefined,
  stored: undefined,
  version: '0',
  draft: {},
  errors: {},
  problem: '',
  isSaving: false,
  wasChangedMeanwhile: false,
};

export function fold(state: SettingsState, event: SettingsEvent): SettingsState {
  switch (event.kind) {
    case 'read':
      return { ...state, ...known(event.answer), draft: stillDiffering(state.draft, event.answer.stored) };
    case 'changed':
      return {
        ...state,
        draft: stillDiffering({ ...state.draft, [event.path]: event.value }, state.stored),
        errors: without(state.errors, event.path),
        problem: '',
      };
    case 'dropped':
      return event.path === undefined
        ? { ...state, draft: {}, errors: {}, problem: '', wasChangedMeanwhile: false }
        : { ...state, draft: without(state.draft, event.path), errors: without(state.errors, event.path) };
    case 'saving':
      return { ...state, isSaving: true, errors: {}, problem: '' };
    case 'saved':
      return {
        ...state,
        ...known(event.answer),
        draft: changedSince(state.draft, event.sent),
        isSaving: false,
        wasChangedMeanwhile: false,
      };
    case 'refused':
      return {
        ...state,
        isSaving: false,
        problem: event.message,
        errors: event.errors,
        wasChangedMeanwhile: event.changedMeanwhile ?? false,
      };
  }
}

/** The value at a path, as "defaults.steps"; undefined: there is none. */
export function valueAt(settings: Settings | undefined, path: string): Json | undefined {
  const [group = '', name = ''] = path.split('.');
  const fields = (settings as Record<string, Record<string, Json>> | undefined)?.[group];
  const value = fields?.[name];
  return value === undefined || isOpen(group, value) ? undefined : unwrapped(value);
}

/** What a field shows: what is being changed, or else what counts. */
export function shownAt(state: SettingsState, path: string): Json | undefined {
  const drafted = state.draft[path];
  return drafted === undefined || drafted === null ? valueAt(state.effective, path) : drafted;
}

/** Whether a field was set here, or will be. */
export function isSetHere(state: SettingsState, path: string): boolean {
  return path in state.draft ? state.draft[path] !== null : valueAt(state.stored, path) !== undefined;
}

/** The change to ask for: the new values, and which fields are meant. */
export function changeOf(draft: SettingsState['draft']): { settings: Record<string, Json>; update_mask: string[] } {
  const settings: Record<string, Record<string, Json>> = {};
  for (const [path, value] of Object.entries(draft)) {
    if (value === null) continue; // named and not given: no longer set here
    const [group = '', name = ''] = path.split('.');
    settings[group] = { ...settings[group], [name]: wrapped(path, value) };
  }
  return { settings, update_mask: Object.keys(draft) };
}

function known(answer: GetSettingsResponse): Pick<SettingsState, 'effective' | 'stored' | 'version'> {
  return { effective: answer.effective, stored: answer.stored, version: answer.version };
}

/** A field without presence that nobody set: an enum's first value, or a 0 of the previews, where 0 leaves it open. */
function isOpen(group: string, value: Json): boolean {
  return (typeof value === 'string' && value.endsWith('_UNSPECIFIED')) || (group === 'preview' && value === 0);
}

/** Lists and tables are messages of one field in the contract. */
function unwrapped(value: Json): Json {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return value.patterns ?? value.owners ?? value;
}

function wrapped(path: string, value: Json): Json {
  if (path.startsWith('exposure.')) return { patterns: value };
  return path === 'quotas.owners' ? { owners: value } : value;
}

function stillDiffering(draft: SettingsState['draft'], stored: Settings | undefined): SettingsState['draft'] {
  const differs = ([path, value]: [string, Json]) =>
    JSON.stringify(value) !== JSON.stringify(valueAt(stored, path) ?? null);
  return Object.fromEntries(Object.entries(draft).filter(differs));
}

function changedSince(draft: SettingsState['draft'], sent: SettingsState['draft']): SettingsState['draft'] {
  return Object.fromEntries(Object.entries(draft).filter(([path, value]) => value !== sent[path]));
}

function without<T>(record: Readonly<Record<string, T>>, path: string): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== path));
}
