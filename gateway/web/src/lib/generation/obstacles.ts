/** What stands between somebody and a picture. Pure. */
import type { Backend, Model } from '$lib/api/contract';

export type Obstacle =
  | { kind: 'no_backends' }
  /** `backend` is the only one that there is, or that was chosen; empty: all of several. */
  | { kind: 'unreachable'; backend: string }
  | { kind: 'no_models' }
  /** There is only the painter that is no model. */
  | { kind: 'demo' };

/** The first of them; undefined: nothing. `models` undefined: not known yet. */
export function obstacleOf(
  backends: readonly Backend[],
  models: readonly Model[] | undefined,
  chosen: string,
): Obstacle | undefined {
  if (backends.length === 0) return { kind: 'no_backends' };
  const counted = chosen ? backends.filter(({ name }) => name === chosen) : backends;
  const [only] = counted;
  if (counted.every(({ health }) => health !== 'BACKEND_HEALTH_HEALTHY')) {
    return { kind: 'unreachable', backend: counted.length === 1 && only ? only.name : '' };
  }
  if (backends.every(({ kind }) => kind === 'demo')) return { kind: 'demo' };
  const makes = ({ type }: Model) => type === 'MODEL_TYPE_CHECKPOINT' || type === 'MODEL_TYPE_DIFFUSION_MODEL';
  return models && !models.some(makes) ? { kind: 'no_models' } : undefined;
}
