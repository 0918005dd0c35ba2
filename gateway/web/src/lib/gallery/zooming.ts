/** A picture that is moved and enlarged on a stage. Pure. */

export interface Size {
  width: number;
  height: number;
}

/** How often the fitted picture's size, and how far its middle is from the stage's, in pixels. */
export interface Zoom {
  scale: number;
  x: number;
  y: number;
}

export const FITTED: Zoom = { scale: 1, x: 0, y: 0 };
const MAX_SCALE = 16;
/** Small pictures are enlarged so far to fit, and no more. */
const MAX_ENLARGED = 2;

/** The size of a picture that is seen as a whole. */
export function fitted(picture: Size, stage: Size): Size {
  if (!picture.width || !picture.height) return stage;
  const factor = Math.min(stage.width / picture.width, stage.height / picture.height, MAX_ENLARGED);
  return { width: picture.width * factor, height: picture.height * factor };
}

/** Larger or smaller by a factor; what is at the point stays there. `x` and `y` count from the stage's middle. */
export function zoomedBy(zoom: Zoom, factor: number, at: { x: number; y: number }, whole: Size, stage: Size): Zoom {
  const scale = Math.min(Math.max(zoom.scale * factor, 1), MAX_SCALE);
  const ratio = scale / zoom.scale;
  return bounded({ scale, x: at.x - (at.x - zoom.x) * ratio, y: at.y - (at.y - zoom.y) * ratio }, whole, stage);
}

/** Moved, but never out of sight. */
export function movedOn(zoom: Zoom, x: number, y: number, whole: Size, stage: Size): Zoom {
  return bounded({ ...zoom, x: zoom.x + x, y: zoom.y + y }, whole, stage);
}

function bounded(zoom: Zoom, whole: Size, stage: Size): Zoom {
  const limit = (side: 'width' | 'height') => Math.max(0, (whole[side] * zoom.scale - stage[side]) / 2);
  const within = (value: number, most: number) => Math.min(Math.max(value, -most), most) + 0; // never -0
  return { scale: zoom.scale, x: within(zoom.x, limit('width')), y: within(zoom.y, limit('height')) };
}
