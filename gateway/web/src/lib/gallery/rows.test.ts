import { describe, expect, it } from 'vitest';
import { GAP, layoutOf, movedBy, scrolledTo, thumbnailWidth, visibleRows } from './rows';

describe('layoutOf', () => {
  it.each([
    [360, 180, 2],
    [320, 300, 2],
    [1280, 200, 6],
    [2560, 120, 20],
  ])('fills %i px by tiles of about %i px: %i in a row', (width, wished, columns) => {
    const layout = layoutOf(width, wished, 100);
    expect(layout.columns).toBe(columns);
    expect(layout.tile * columns + GAP * (columns - 1)).toBeCloseTo(width);
    expect(layout.rows).toBe(Math.ceil(100 / columns));
  });

  it('is sane before anything was measured', () => {
    expect(layoutOf(0, 200, 0)).toMatchObject({ tile: 1, rows: 0 });
  });
});

describe('visibleRows', () => {
  const rows = { pitch: 100, rows: 1000 };
  it.each([
    ['at the top', 0, { first: 0, end: 10 }],
    ['half a row down', 50, { first: 0, end: 11 }],
    ['in the middle', 5000, { first: 48, end: 60 }],
    ['at the end', 99_200, { first: 990, end: 1000 }],
    ['beyond the end, as after a delete', 200_000, { first: 1000, end: 1000 }],
  ])('%s', (_, scrollTop, expected) => {
    expect(visibleRows(scrollTop, 800, rows)).toEqual(expected);
  });
});

it.each([
  ['above', 2, 200],
  ['in sight', 6, 500],
  ['below', 20, 1300],
])('scrolls to a row that is %s', (_, row, expected) => {
  expect(scrolledTo(row, 500, 800, 100)).toBe(expected);
});

it.each([
  ['ArrowRight', 5, 6],
  ['ArrowLeft', 0, 0],
  ['ArrowDown', 5, 9],
  ['ArrowDown', 98, 98],
  ['ArrowUp', 2, 2],
  ['PageDown', 5, 17],
  ['PageUp', 5, 0],
  ['End', 5, 99],
  ['Home', 5, 0],
  ['a', 5, undefined],
])('%s leads from %i to %s', (key, place, expected) => {
  expect(movedBy(key, place, 100, 4, 3)).toBe(expected);
});

it.each([
  [200, 1, 512, 512, 256],
  [200, 2, 512, 512, 512],
  [200, 1, 1024, 512, 512],
  [200, 1, 512, 1024, 256],
  [120, 1, 0, 0, 128],
  [600, 3, 9000, 10, 1024],
])('a tile of %i px at %i pixels each, of a picture of %i x %i, takes the thumbnail of %i', (...given) => {
  const [tile, density, width, height, expected] = given;
  expect(thumbnailWidth(tile, density, width, height)).toBe(expected);
});
