import { expect, it } from 'vitest';
import type { Backend, Model } from '$lib/api/contract';
import { obstacleOf } from './obstacles';

const backend = (name: string, kind: string, isHealthy = true) =>
  ({ name, kind, health: isHealthy ? 'BACKEND_HEALTH_HEALTHY' : 'BACKEND_HEALTH_UNHEALTHY' }) as Backend;
const CHECKPOINT = { name: 'base', type: 'MODEL_TYPE_CHECKPOINT' } as Model;
const LORA = { name: 'film', type: 'MODEL_TYPE_LORA' } as Model;

it.each([
  ['no backend at all', [], [], '', { kind: 'no_backends' }],
  ['the only one away', [backend('a', 'comfyui', false)], [], '', { kind: 'unreachable', backend: 'a' }],
  [
    'all away',
    [backend('a', 'demo', false), backend('b', 'a1111', false)],
    [],
    '',
    { kind: 'unreachable', backend: '' },
  ],
  [
    'the chosen one away',
    [backend('a', 'demo'), backend('b', 'a1111', false)],
    [CHECKPOINT],
    'b',
    { kind: 'unreachable', backend: 'b' },
  ],
  ['one of two away', [backend('a', 'comfyui'), backend('b', 'a1111', false)], [CHECKPOINT], '', undefined],
  ['the demo only', [backend('a', 'demo')], [CHECKPOINT], '', { kind: 'demo' }],
  ['no model', [backend('a', 'comfyui')], [LORA], '', { kind: 'no_models' }],
  ['models not known yet', [backend('a', 'comfyui')], undefined, '', undefined],
  ['all well', [backend('a', 'comfyui')], [CHECKPOINT], '', undefined],
] as const)('%s', (_, backends, models, chosen, obstacle) => {
  expect(obstacleOf(backends, models, chosen)).toEqual(obstacle);
});
