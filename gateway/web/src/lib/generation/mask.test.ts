import { describe, expect, it } from 'vitest';
import { BLANK, isBlank, paint, stamps, type Operation, type PaintEvent } from './mask';

const stroke = (erases = false): Operation => ({
  kind: 'stroke',
  points: [{ x: 0, y: 0 }],
  size: 8,
  softness: 0,
  erases,
});
const did = (operation: Operation): PaintEvent => ({ kind: 'did', operation });
const after = (...events: PaintEvent[]) => events.reduce(paint, BLANK);
const UNDO: PaintEvent = { kind: 'undid' };
const REDO: PaintEvent = { kind: 'redid' };

describe('paint', () => {
  it('undoes and redoes whatever was done', () => {
    const all = [stroke(), { kind: 'invert' }, stroke(true), { kind: 'clear' }] as const;
    const done = after(...all.map(did));
    expect(all.reduce((painted) => paint(painted, UNDO), done).done).toEqual([]);
    expect([...all.map(() => UNDO), ...all.map(() => REDO)].reduce(paint, done)).toEqual(done);
  });

  it('forgets what was undone when something else is done', () => {
    expect(after(did(stroke()), UNDO, did({ kind: 'fill' }), REDO).done).toEqual([{ kind: 'fill' }]);
  });

  it('goes on with the newest stroke, and with nothing else', () => {
    const moved: PaintEvent = { kind: 'moved', points: [{ x: 1, y: 1 }] };
    expect(after(did(stroke()), moved).done[0]).toMatchObject({
      points: [
        { x: 0, y: 0 },
        { x: 1, y: 1 },
      ],
    });
    expect(after(did({ kind: 'fill' }), moved).done).toEqual([{ kind: 'fill' }]);
  });

  it('has nothing to undo at first', () => expect(after(UNDO, REDO)).toEqual(BLANK));
});

it.each([
  ['nothing', [], true],
  ['a stroke', [stroke()], false],
  ['an eraser on nothing', [stroke(true)], true],
  ['what was cleared', [stroke(), { kind: 'clear' }], true],
  ['what was inverted after', [{ kind: 'clear' }, { kind: 'invert' }], false],
] as [string, Operation[], boolean][])('is blank with %s or not', (_, done, blank) => {
  expect(isBlank({ done, undone: [] })).toBe(blank);
});

describe('stamps', () => {
  it.each([
    [{ x: 0, y: 0 }, { x: 0, y: 0 }, 10, 1],
    [{ x: 0, y: 0 }, { x: 100, y: 0 }, 80, 10],
    [{ x: 0, y: 0 }, { x: 3, y: 4 }, 1, 5],
  ])('from %j to %j with a brush of %i are %i', (from, to, size, count) => {
    const places = stamps(from, to, size);
    expect(places).toHaveLength(count);
    expect(places.at(-1)).toEqual(to);
  });
});
