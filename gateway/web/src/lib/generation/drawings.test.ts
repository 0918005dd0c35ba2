// @vitest-environment jsdom
import { beforeEach, expect, it, vi } from 'vitest';
import type { Drawing } from './drawings';

const drawing = (points: number): Drawing => ({
  picture: 'a'.repeat(64),
  width: 512,
  height: 512,
  painted: {
    done: [
      {
        kind: 'stroke',
        points: Array.from({ length: points }, (_, x) => ({ x, y: 0.5 })),
        size: 20,
        softness: 0,
        erases: false,
      },
    ],
    undone: [],
  },
});

/** The module as the next visit finds it. */
async function visit() {
  vi.resetModules();
  return import('./drawings');
}

beforeEach(() => localStorage.clear());

it('is there at the next visit', async () => {
  const value = (await visit()).keepDrawing(drawing(3));
  const { drawingOf } = await visit();
  expect(drawingOf(value)).toEqual(drawing(3));
  expect(drawingOf('drawn:0-0')).toBeUndefined();
});

it('gives way to newer ones, and to those of other tabs to none', async () => {
  const [one, other] = [await visit(), await visit()];
  const theirs = other.keepDrawing(drawing(1));
  const ours = Array.from({ length: 8 }, () => one.keepDrawing(drawing(2)));
  const { drawingOf } = await visit();
  expect(drawingOf(theirs)).toBeUndefined();
  expect(ours.map((value) => drawingOf(value) !== undefined)).toEqual(Array(8).fill(true));
  other.keepDrawing(drawing(3));
  expect((await visit()).drawingOf(ours[7])).toEqual(drawing(2));
});

it('stays in this visit when it is too much to be kept', async () => {
  const { drawingOf, keepDrawing } = await visit();
  const small = keepDrawing(drawing(1));
  const large = keepDrawing(drawing(100_000));
  expect([small, large].map((value) => drawingOf(value) !== undefined)).toEqual([true, true]);
  const later = await visit();
  expect([small, large].map((value) => later.drawingOf(value) !== undefined)).toEqual([true, false]);
});
