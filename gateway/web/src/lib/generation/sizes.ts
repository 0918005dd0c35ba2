/** Sizes of pictures by their shape. Pure. */

export interface Size {
  width: number;
  height: number;
}

/** Shapes that are offered, by width and height. */
export const SHAPES: readonly (readonly [number, number])[] = [
  [1, 1],
  [3, 2],
  [2, 3],
  [4, 3],
  [3, 4],
  [16, 9],
  [9, 16],
];

/** What models are fond of: they were taught with sizes of whole 64s. */
const RASTER = 64;

/** The size of a shape with about as many pixels, and seldom more: more takes memory that may not be there. */
export function sizeOfShape([across, down]: readonly [number, number], pixels: number): Size {
  const ratio = across / down;
  const exact = Math.sqrt(pixels * ratio);
  const sizes = around(exact).flatMap((width) => around(exact / ratio).map((height) => ({ width, height })));
  return sizes.reduce((best, size) => (error(size, ratio, pixels) < error(best, ratio, pixels) ? size : best));
}

function around(exact: number): number[] {
  const whole = Math.max(1, Math.floor(exact / RASTER));
  return [whole * RASTER, (whole + 1) * RASTER];
}

function error({ width, height }: Size, ratio: number, pixels: number): number {
  const shape = Math.abs(Math.log(width / height / ratio));
  const area = Math.log((width * height) / pixels);
  return shape + (area > 0 ? 4 * area : -area);
}

/** The shape that a size has, as the nearest of those that are offered; undefined: it is none of them. */
export function shapeOf({ width, height }: Size): readonly [number, number] | undefined {
  return SHAPES.find((shape) => {
    const { width: wide, height: high } = sizeOfShape(shape, width * height);
    return wide === width && high === height;
  });
}
