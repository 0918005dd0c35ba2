/** A mask's pixels: what was painted is opaque on a canvas; as a file it is white on black. */
import { stamps, type Operation, type Point, type Stroke } from './mask';

/** How it looks over a picture. */
const COLOR = '226 61 121';

/** Paints everything from the beginning. */
export function paintAll(context: CanvasRenderingContext2D, operations: readonly Operation[]): void {
  const { width, height } = context.canvas;
  context.clearRect(0, 0, width, height);
  for (const operation of operations) paintOne(context, operation);
}

/** Paints what was done last; of a stroke only what follows its point number `from`. */
export function paintOne(context: CanvasRenderingContext2D, operation: Operation, from = 0): void {
  const { width, height } = context.canvas;
  context.save();
  if (operation.kind === 'clear') context.clearRect(0, 0, width, height);
  else if (operation.kind === 'stroke') paintStroke(context, operation, from);
  else {
    if (operation.kind === 'invert') context.globalCompositeOperation = 'xor';
    context.fillStyle = `rgb(${COLOR})`;
    context.fillRect(0, 0, width, height);
  }
  context.restore();
}

function paintStroke(context: CanvasRenderingContext2D, stroke: Stroke, from: number): void {
  if (stroke.erases) context.globalCompositeOperation = 'destination-out';
  const radius = Math.max(0.5, stroke.size / 2);
  const fade = context.createRadialGradient(0, 0, 0, 0, 0, radius);
  fade.addColorStop(0, `rgb(${COLOR})`);
  fade.addColorStop(Math.min(0.99, 1 - stroke.softness), `rgb(${COLOR})`);
  fade.addColorStop(1, `rgb(${COLOR} / 0)`);
  context.fillStyle = fade;
  for (const { x, y } of pathOf(stroke, from)) {
    context.setTransform(1, 0, 0, 1, x, y);
    context.fillRect(-radius, -radius, 2 * radius, 2 * radius);
  }
}

function pathOf({ points, size }: Stroke, from: number): Point[] {
  return points.slice(from).flatMap((point, index) => stamps(points[from + index - 1] ?? point, point, size));
}

/** The mask as a PNG: white where it was painted. */
export async function maskFile(operations: readonly Operation[], width: number, height: number): Promise<Blob> {
  const painted = contextOf(width, height);
  paintAll(painted, operations);
  painted.globalCompositeOperation = 'source-in';
  painted.fillStyle = '#ffffff';
  painted.fillRect(0, 0, width, height);
  const mask = contextOf(width, height);
  mask.fillStyle = '#000000';
  mask.fillRect(0, 0, width, height);
  mask.drawImage(painted.canvas, 0, 0);
  return new Promise((resolve, reject) => {
    mask.canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error('the mask could not be drawn'))),
      'image/png',
    );
  });
}

function contextOf(width: number, height: number): CanvasRenderingContext2D {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  if (!context) throw new Error('this browser gives no canvas of this size');
  return context;
}
