import { expect, test } from 'vitest';
import type { Job, Output } from '$lib/api/contract';
import type { Frame } from '$lib/state/queue';
import { aspect, left, results, shownOutput, speed, stepped } from './showing';

const output = (index: number, image_index = index, kind: Output['kind'] = 'OUTPUT_KIND_FINAL') =>
  ({ index, image_index, kind, asset: { width: 512, height: 256 } }) as Output;
const job = (state: Job['state'], outputs: Output[], image: object = {}) =>
  ({ state, outputs, spec: { image } }) as unknown as Job;
const DONE = 'JOB_STATE_SUCCEEDED';
const RUNS = 'JOB_STATE_RUNNING';

test('results are in the order of the pictures, and by-products only where there is nothing else', () => {
  const preview = output(0, 0, 'OUTPUT_KIND_INTERMEDIATE');
  expect(results(job(DONE, [output(2, 1), preview, output(1, 0)])).map(({ index }) => index)).toEqual([1, 2]);
  expect(results(job(DONE, [preview]))).toEqual([preview]);
});

test('while it runs the preview is shown, unless somebody chose a picture', () => {
  const two = [output(0), output(1)];
  expect(shownOutput(job(RUNS, two), undefined)).toBeUndefined();
  expect(shownOutput(job(RUNS, two), 1)?.index).toBe(1);
  expect(shownOutput(job(DONE, two), undefined)?.index).toBe(0);
});

test.each<[string, Job, Frame | undefined, number]>([
  ['the output', job(DONE, [output(0)], { width: 100, height: 100 }), undefined, 2],
  ['what was asked for', job(RUNS, [], { width: 768, height: 512 }), { width: 8, height: 8 } as Frame, 1.5],
  ['the preview', job(RUNS, [], { width: 0, height: 0 }), { width: 64, height: 32 } as Frame, 2],
  ['nothing', job(RUNS, []), undefined, 1],
])('the shape is known from %s', (_, one, frame, expected) => {
  expect(aspect(one, undefined, frame)).toBe(expected);
});

test.each<[Job['state'], number | undefined, string, number | undefined]>([
  [DONE, undefined, 'ArrowRight', 1],
  [DONE, 1, 'ArrowRight', 1],
  [DONE, 1, 'Home', 0],
  [RUNS, undefined, 'ArrowLeft', 1],
  [RUNS, 1, 'ArrowRight', undefined],
  [RUNS, 0, 'End', undefined],
])('of two pictures, %s, %s, %s leads to %s', (state, chosen, key, expected) => {
  expect(stepped(job(state, [output(0), output(1)]), chosen, key)).toBe(expected);
});

test('speed is said the way that is read best', () => {
  expect([speed(3.21), speed(0.25)]).toEqual([{ steps: '3.2' }, { seconds: '4.0' }]);
});

test('what was foreseen counts down, and not below nothing', () => {
  expect([left('40s', 1000, 11_000), left('40s', 1000, 99_000), left(undefined, 1000, 2000)]).toEqual([
    '30 s',
    '0 s',
    undefined,
  ]);
});
