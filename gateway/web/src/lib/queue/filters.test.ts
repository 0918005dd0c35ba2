import { expect, test } from 'vitest';
import type { Job } from '$lib/api/contract';
import { matches, parseFilters, queueLink, requestOf, type Filters } from './filters';
import { placeAt } from './ordering.svelte';

const ALL: Filters = { mine: false, text: '', outcome: 'all' };
const job = { state: 'JOB_STATE_FAILED', owner: 'anna', spec: { image: { prompt: 'A Red Fox' } } } as unknown as Job;

test.each<Partial<Filters>>([{}, { mine: true, text: 'a & b' }, { outcome: 'failed' }])(
  'the address of %o says the same',
  (part) => {
    const link = queueLink({ ...ALL, ...part });
    expect(parseFilters(new URLSearchParams(link.split('?')[1]))).toEqual({ ...ALL, ...part });
  },
);

test.each<[Partial<Filters>, boolean]>([
  [{}, true],
  [{ mine: true }, false],
  [{ text: ' red ' }, true],
  [{ text: 'blue' }, false],
  [{ outcome: 'failed' }, true],
  [{ outcome: 'cancelled' }, false],
])('%o', (part, expected) => {
  expect(matches(job, { ...ALL, ...part }, 'bert')).toBe(expected);
});

test('nobody in particular cannot be asked for', () => {
  expect(requestOf({ ...ALL, mine: true }, '')).not.toHaveProperty('owner');
  expect(requestOf({ ...ALL, mine: true }, 'anna')).toHaveProperty('owner', 'anna');
});

test.each([
  [5, 0],
  [15, 1],
  [99, 3],
])('a row that is let go at %i goes to place %i', (y, place) => {
  expect(placeAt(y, [10, 20, 30])).toBe(place);
});
