import { expect, it } from 'vitest';
import type { Job, JobState } from '$lib/api/contract';
import { leftNothing } from './jobs';

const OUTPUT = {} as Job['outputs'][number];

it.each<[JobState, number, boolean]>([
  ['JOB_STATE_CANCELLED', 0, true],
  ['JOB_STATE_CANCELLED', 1, false],
  ['JOB_STATE_FAILED', 0, false],
  ['JOB_STATE_RUNNING', 0, false],
])('of %s with %i pictures it is %s that nothing is left', (state, pictures, nothing) => {
  expect(leftNothing({ state, outputs: Array<typeof OUTPUT>(pictures).fill(OUTPUT) })).toBe(nothing);
});
