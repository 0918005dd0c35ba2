/** What was painted on a mask, as what was done one after the other: so everything can be undone. Pure. */

export interface Point {
  x: number;
  y: number;
}

export interface Stroke {
  kind: 'stroke';
  points: readonly Point[];
  /** Diameter in pixels of the picture. */
  size: number;
  /** How much of the radius fades out, from 0 to 1. */
  softness: number;
  erases: boolean;
}

export type Operation = Stroke | { kind: 'fill' } | { kind: 'clear' } | { kind: 'invert' };

export interface Painted {
  done: readonly Operation[];
  undone: readonly Operation[];
}

export type PaintEvent =
  | { kind: 'did'; operation: Operation }
  /** The newest stroke goes on to these points. */
  | { kind: 'moved'; points: readonly Point[] }
  | { kind: 'undid' }
  | { kind: 'redid' };

export const BLANK: Painted = { done: [], undone: [] };

export function paint(painted: Painted, event: PaintEvent): Painted {
  const { done, undone } = painted;
  const last = done.at(-1);
  switch (event.kind) {
    case 'did':
      return { done: [...done, event.operation], undone: [] };
    case 'moved':
      if (last?.kind !== 'stroke') return painted;
      return { done: [...done.slice(0, -1), { ...last, points: [...last.points, ...event.points] }], undone };
    case 'undid':
      return last ? { done: done.slice(0, -1), undone: [...undone, last] } : painted;
    case 'redid': {
      const next = undone.at(-1);
      return next ? { done: [...done, next], undone: undone.slice(0, -1) } : painted;
    }
  }
}

/** Whether nothing is white for certain: nothing but erasing happened since it was empty. */
export function isBlank({ done }: Painted): boolean {
  const cleared = done.findLastIndex(({ kind }) => kind === 'clear');
  return done.slice(cleared + 1).every((operation) => operation.kind === 'stroke' && operation.erases);
}

/** Where the brush is set down between two points, the second one included: close enough for an even line. */
export function stamps(from: Point, to: Point, size: number): Point[] {
  const distance = Math.hypot(to.x - from.x, to.y - from.y);
  const count = Math.max(1, Math.ceil(distance / Math.max(1, size / 8)));
  return Array.from({ length: count }, (_, index) => {
    const part = (index + 1) / count;
    return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
  });
}
