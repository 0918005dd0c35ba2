/** Which settings there are, in which order, and how each is edited. Names and paths are those of the contract. */
import type { Settings } from '$lib/api/contract';

export type FieldKind =
  | { kind: 'text'; placeholder?: string; rows?: number }
  | { kind: 'number'; min: number; max?: number; step?: number }
  | { kind: 'choice'; choices: readonly string[] }
  /** One of the names that a list of the server has. */
  | { kind: 'name'; list: 'workflows' | 'models' | 'samplers' | 'schedulers' }
  | { kind: 'bytes' }
  | { kind: 'patterns' }
  | { kind: 'owners' };

export type Group = keyof Settings;

/** Fields by group: path within the group, and kind. */
export const FIELDS = {
  defaults: {
    workflow_id: { kind: 'name', list: 'workflows' },
    model: { kind: 'name', list: 'models' },
    negative_prompt: { kind: 'text', rows: 2 },
    width: { kind: 'number', min: 64, max: 4096, step: 8 },
    height: { kind: 'number', min: 64, max: 4096, step: 8 },
    steps: { kind: 'number', min: 1, max: 500 },
    cfg_scale: { kind: 'number', min: 0, max: 100, step: 0.5 },
    sampler: { kind: 'name', list: 'samplers' },
    scheduler: { kind: 'name', list: 'schedulers' },
  },
  preview: {
    mode: { kind: 'choice', choices: ['PREVIEW_MODE_ON', 'PREVIEW_MODE_OFF'] },
    max_rate_hz: { kind: 'number', min: 0, max: 30, step: 0.5 },
    max_pixels: { kind: 'number', min: 0, max: 2048, step: 16 },
    format: { kind: 'choice', choices: ['PREVIEW_FORMAT_JPEG', 'PREVIEW_FORMAT_WEBP'] },
    quality: { kind: 'number', min: 0, max: 100 },
  },
  retention: {
    keep_jobs: { kind: 'number', min: 0 },
    keep_jobs_days: { kind: 'number', min: 0, step: 0.5 },
    keep_events_hours: { kind: 'number', min: 0, step: 0.5 },
    keep_assets_days: { kind: 'number', min: 0, step: 0.5 },
    keep_assets_bytes: { kind: 'bytes' },
    keep_deleted_hours: { kind: 'number', min: 0, max: 8760, step: 0.5 },
  },
  quotas: {
    max_queued_jobs: { kind: 'number', min: 1 },
    owners: { kind: 'owners' },
  },
  exposure: {
    models: { kind: 'patterns' },
    workflows: { kind: 'patterns' },
  },
} as const satisfies { [G in Group]: Record<string, FieldKind> };

/** Every path, as "defaults.steps". */
export const PATHS: readonly string[] = Object.entries(FIELDS).flatMap(([group, fields]) =>
  Object.keys(fields).map((name) => `${group}.${name}`),
);
