import { expect, it } from 'vitest';
import type { Backend, Device, Model } from '$lib/api/contract';
import { abilities, isFirstRun, matching, memoryTaken, standingOf, typeInAddress } from './describing';

const backend = (part: Partial<Backend>) => part as Backend;

it.each([
  [{ health: 'BACKEND_HEALTH_HEALTHY', drained: false }, 'ready'],
  [{ health: 'BACKEND_HEALTH_HEALTHY', drained: true }, 'drained'],
  [{ health: 'BACKEND_HEALTH_UNHEALTHY', drained: true }, 'away'],
  [{ health: 'BACKEND_HEALTH_UNSPECIFIED', drained: false }, 'unknown'],
] as const)('%j stands %s', (part, expected) => expect(standingOf(backend(part))).toBe(expected));

it.each([
  ['100', '25', 0.75],
  ['0', '0', undefined],
])('of %s bytes %s are free', (memory_total_bytes, memory_free_bytes, expected) => {
  expect(memoryTaken({ name: '', memory_total_bytes, memory_free_bytes } as Device)).toBe(expected);
});

it('only what is there is told', () => {
  const can = { inpainting: true, hires: false } as never;
  expect(abilities(can, ['inpainting', 'hires', 'loras'])).toEqual(['inpainting']);
  expect(abilities(undefined, ['inpainting'])).toEqual([]);
});

it('the first run is over with the first real backend', () => {
  expect(isFirstRun([backend({ kind: 'demo' })])).toBe(true);
  expect(isFirstRun([])).toBe(true);
  expect(isFirstRun([backend({ kind: 'demo' }), backend({ kind: 'a1111' })])).toBe(false);
});

it('a search takes words in any order', () => {
  const models = [
    { name: 'sdxl/Film-Grain.safetensors', type: 'MODEL_TYPE_LORA' },
    { name: 'sdxl/base.safetensors', type: 'MODEL_TYPE_CHECKPOINT' },
  ] as Model[];
  expect(matching(models, 'grain sdxl', '')).toEqual([models[0]]);
  expect(matching(models, '', 'MODEL_TYPE_CHECKPOINT')).toEqual([models[1]]);
  expect(matching(models, 'nothing', '')).toEqual([]);
});

it('types in addresses', () => expect(typeInAddress('MODEL_TYPE_TEXT_ENCODER')).toBe('text_encoder'));
