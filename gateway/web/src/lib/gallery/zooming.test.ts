import { describe, expect, it } from 'vitest';
import { FITTED, fitted, movedOn, zoomedBy } from './zooming';

const STAGE = { width: 800, height: 600 };
const WHOLE = { width: 800, height: 400 };

it.each([
  ['a wide one', { width: 1600, height: 800 }, { width: 800, height: 400 }],
  ['a tall one', { width: 600, height: 1200 }, { width: 300, height: 600 }],
  ['a tiny one, which is not blown up', { width: 16, height: 16 }, { width: 32, height: 32 }],
  ['one of unknown size', { width: 0, height: 0 }, STAGE],
])('fits %s', (_, picture, expected) => {
  expect(fitted(picture, STAGE)).toEqual(expected);
});

describe('zooming', () => {
  it('keeps what is at the point where it is', () => {
    expect(zoomedBy(FITTED, 2, { x: 100, y: 0 }, WHOLE, STAGE)).toEqual({ scale: 2, x: -100, y: 0 });
  });

  it.each([
    [1000, 16],
    [0.001, 1],
  ])('by %d ends at %d', (factor, scale) => {
    expect(zoomedBy(FITTED, factor, { x: 0, y: 0 }, WHOLE, STAGE).scale).toBe(scale);
  });

  it('there and back again fits', () => {
    const near = zoomedBy(FITTED, 4, { x: 390, y: 190 }, WHOLE, STAGE);
    expect(zoomedBy(near, 1 / 4, { x: -300, y: 0 }, WHOLE, STAGE)).toEqual(FITTED);
  });
});

it('moves no further than the edge of the picture', () => {
  const near = zoomedBy(FITTED, 2, { x: 0, y: 0 }, WHOLE, STAGE);
  expect(movedOn(near, 5000, -5000, WHOLE, STAGE)).toEqual({ scale: 2, x: 400, y: -100 });
  expect(movedOn(FITTED, 50, 50, WHOLE, STAGE)).toEqual(FITTED);
});
