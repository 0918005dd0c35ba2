import { expect, test } from 'vitest';
import type { Backend } from '$lib/api/contract';
import { fold, initial, type SystemEvent } from './system';

const backend = (name: string, health: Backend['health'] = 'BACKEND_HEALTH_HEALTHY'): SystemEvent => ({
  kind: 'backend',
  backend: { name, health } as Backend,
});
const after = (...events: SystemEvent[]) => events.reduce(fold, initial);
const FIRST: SystemEvent[] = [{ kind: 'began' }, backend('a'), backend('b'), { kind: 'ready' }];

test('backends are known as they were told last', () => {
  const state = after(...FIRST, backend('a', 'BACKEND_HEALTH_UNHEALTHY'), { kind: 'backend_removed', name: 'b' });
  expect([...state.backends.keys()]).toEqual(['a']);
  expect(state.backends.get('a')?.health).toBe('BACKEND_HEALTH_UNHEALTHY');
  expect(state.isReady).toBe(true);
});

test('a backend that went while nobody listened goes when all has been told again, not before', () => {
  const again: SystemEvent[] = [...FIRST, { kind: 'began' }, backend('b')];
  expect([...after(...again).backends.keys()]).toEqual(['a', 'b']);
  expect([...after(...again, { kind: 'ready' }).backends.keys()]).toEqual(['b']);
});

test('a change is counted; after an interruption all may have changed', () => {
  const state = after(
    ...FIRST,
    { kind: 'changed', topic: 'TOPIC_MODELS' },
    { kind: 'changed', topic: 'TOPIC_UNSPECIFIED' },
  );
  expect(state.changes).toEqual({ settings: 0, workflows: 0, models: 1, assets: 0, keys: 0, jobs: 0 });
  const all = { settings: 1, workflows: 1, models: 2, assets: 1, keys: 1, jobs: 1 };
  const again = [{ kind: 'began' }, { kind: 'ready' }] satisfies SystemEvent[];
  expect(again.reduce(fold, state).changes).toEqual(all);
  // The gateway had lost the server: it tells the same backends no second time.
  expect(fold(state, { kind: 'ready' })).toMatchObject({ changes: all, backends: state.backends });
});
