import { describe, expect, it } from 'vitest';
import { shapeOf, SHAPES, sizeOfShape } from './sizes';

describe('sizeOfShape', () => {
  it.each([
    [[1, 1], 1024 * 1024, '1024x1024'],
    [[3, 2], 1024 * 1024, '1216x832'],
    [[2, 3], 1024 * 1024, '832x1216'],
    [[4, 3], 1024 * 1024, '1152x896'],
    [[16, 9], 1024 * 1024, '1344x768'],
    [[1, 1], 512 * 512, '512x512'],
    [[9, 16], 64 * 64, '64x64'],
  ] as const)('makes %s of %i pixels', (shape, pixels, size) => {
    const { width, height } = sizeOfShape(shape, pixels);
    expect(`${width}x${height}`).toBe(size);
  });

  it.each([256, 512, 768, 1024, 2048])('is found again from the sizes of %i', (side) => {
    for (const shape of SHAPES) expect(shapeOf(sizeOfShape(shape, side * side))).toBeDefined();
  });
});

describe('shapeOf', () => {
  it('is nothing for a size that none of them has', () => expect(shapeOf({ width: 1000, height: 64 })).toBeUndefined());
  it('is a square for equal sides', () => expect(shapeOf({ width: 640, height: 640 })).toEqual([1, 1]));
});
