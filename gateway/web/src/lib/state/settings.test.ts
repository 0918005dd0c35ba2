import { describe, expect, it } from 'vitest';
import type { GetSettingsResponse } from '$lib/api/contract';
import { PATHS } from '$lib/settings/fields';
import { changeOf, fold, initial, isSetHere, shownAt, valueAt, type SettingsEvent } from './settings';

const ANSWER = {
  version: '3',
  effective: {
    defaults: { steps: 30, model: 'sdxl/base' },
    preview: {
      mode: 'PREVIEW_MODE_ON',
      max_rate_hz: 0,
      max_pixels: 0,
      format: 'PREVIEW_FORMAT_UNSPECIFIED',
      quality: 80,
    },
    quotas: { max_queued_jobs: 1000, owners: { owners: {} } },
    exposure: { models: { patterns: ['*'] } },
  },
  stored: {
    defaults: { steps: 30 },
    exposure: { models: { patterns: [] } },
  },
} satisfies GetSettingsResponse;

const after = (...events: SettingsEvent[]) =>
  [{ kind: 'read', answer: ANSWER } as const, ...events].reduce(fold, initial);
const changed = (path: string, value: never | number | string | null | string[]): SettingsEvent => ({
  kind: 'changed',
  path,
  value,
});

describe('valueAt', () => {
  it.each([
    ['defaults.steps', 30],
    ['defaults.cfg_scale', undefined],
    ['preview.mode', 'PREVIEW_MODE_ON'],
    ['preview.max_rate_hz', undefined], // 0 leaves it open
    ['preview.format', undefined],
    ['quotas.owners', {}],
    ['exposure.models', ['*']],
    ['retention.keep_jobs', undefined],
  ])('%s', (path, expected) => expect(valueAt(ANSWER.effective, path)).toEqual(expected));
});

it('a field shows its change, and knows that it will be set here', () => {
  const state = after(changed('defaults.cfg_scale', 5));
  expect(shownAt(state, 'defaults.cfg_scale')).toBe(5);
  expect(isSetHere(state, 'defaults.cfg_scale')).toBe(true);
  expect(isSetHere(after(), 'defaults.cfg_scale')).toBe(false);
  expect(isSetHere(after(), 'defaults.steps')).toBe(true);
});

it('a change back to what is set is none', () => {
  expect(after(changed('defaults.steps', 25), changed('defaults.steps', 30)).draft).toEqual({});
  expect(after(changed('defaults.cfg_scale', null)).draft).toEqual({});
});

it('an empty list is a value of its own', () => {
  expect(isSetHere(after(), 'exposure.models')).toBe(true);
  expect(shownAt(after(), 'exposure.models')).toEqual(['*']); // what counts, as the server says
});

it('what is asked for names every changed field, and gives those that have a value', () => {
  const { draft } = after(
    changed('defaults.steps', null),
    changed('defaults.cfg_scale', 5),
    changed('exposure.models', ['sdxl/*']),
  );
  expect(changeOf(draft)).toEqual({
    settings: { defaults: { cfg_scale: 5 }, exposure: { models: { patterns: ['sdxl/*'] } } },
    update_mask: ['defaults.steps', 'defaults.cfg_scale', 'exposure.models'],
  });
});

it('an error goes when its field is changed again, and others stay', () => {
  const refused: SettingsEvent = {
    kind: 'refused',
    message: '',
    errors: { 'defaults.width': 'no', 'defaults.steps': 'no' },
  };
  const state = after({ kind: 'saving' }, refused, changed('defaults.width', 640));
  expect(state.errors).toEqual({ 'defaults.steps': 'no' });
  expect(state.isSaving).toBe(false);
});

it('what is drafted outlives a change by somebody else, unless it is the same', () => {
  const theirs = { ...ANSWER, version: '4', stored: { defaults: { steps: 12 } } };
  const state = after(
    changed('defaults.steps', 12),
    changed('defaults.cfg_scale', 5),
    { kind: 'refused', message: '', errors: {}, changedMeanwhile: true },
    { kind: 'read', answer: theirs },
  );
  expect(state.draft).toEqual({ 'defaults.cfg_scale': 5 });
  expect(state.version).toBe('4');
  expect(state.wasChangedMeanwhile).toBe(true);
  expect(fold(state, { kind: 'saved', answer: theirs, sent: {} }).wasChangedMeanwhile).toBe(false);
});

it('what is changed while it is saved is still to be saved', () => {
  const sent = after(changed('defaults.steps', 12), changed('defaults.cfg_scale', 5));
  const typed = [{ kind: 'saving' } as const, changed('defaults.cfg_scale', 6)].reduce(fold, sent);
  const answer = { ...ANSWER, version: '4', stored: { defaults: { steps: 12, cfg_scale: 5 } } };
  expect(fold(typed, { kind: 'saved', answer, sent: sent.draft }).draft).toEqual({ 'defaults.cfg_scale': 6 });
});

it('every path has two parts', () => {
  expect(PATHS.filter((path) => path.split('.').length !== 2)).toEqual([]);
});
