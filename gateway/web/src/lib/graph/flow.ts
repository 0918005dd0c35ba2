/** The content as the canvas wants it: what has not changed stays the same object, so that little is drawn anew. Pure. */
import type { Edge, Node } from '@xyflow/svelte';
import { linksOf, type Content, type Place } from './content';
import type { Definitions } from './definitions';
import { colourOf } from './sockets';

interface Part {
  id: string;
  x: number;
  y: number;
  width?: number;
  height?: number;
}

/** The boxes of nodes, groups and notes. What is moved by hand just now, and what was measured, is kept of the old ones. */
export function boxesOf(content: Content, selection: ReadonlySet<string>, old: readonly Node[]): Node[] {
  const before = new Map(old.map((box) => [box.id, box]));
  const box = (part: Part, type: string, more: Partial<Node> = {}): Node => {
    const known = before.get(part.id);
    const selected = selection.has(part.id);
    const { id, x, y } = part;
    const size = type === 'node' ? {} : { width: part.width ?? 0, height: part.height ?? 0 };
    const told = { x, y, ...size };
    if (!known) return { ...more, ...size, id, type, position: { x, y }, selected, data: told };
    const isSame = Object.entries(told).every(([name, value]) => known.data[name] === value);
    if (isSame && (known.selected ?? false) === selected) return known;
    return isSame ? { ...known, selected } : { ...known, ...size, position: { x, y }, selected, data: told };
  };
  const behind = -2000; // also when it is selected, which lifts boxes by a thousand
  const boxes = [
    ...content.groups.map((group) => box(group, 'group-frame', { zIndex: behind, dragHandle: '.frame-title' })),
    ...content.notes.map((note) => box(note, 'note')),
    ...Object.values(content.nodes).map((node) => box(node, 'node')),
  ];
  return boxes.length === old.length && boxes.every((each, at) => each === old[at]) ? (old as Node[]) : boxes;
}

/** What was moved by hand: the places that differ from the content's. */
export function movedBoxes(boxes: readonly Node[]): Record<string, Place> {
  const moved = boxes.filter(({ position, data }) => position.x !== data.x || position.y !== data.y);
  return Object.fromEntries(
    moved.map(({ id, position }) => [id, { x: Math.round(position.x), y: Math.round(position.y) }]),
  );
}

/** The lines; which of them are selected is the canvas's own. */
export function linesOf(
  content: Content,
  definitions: Definitions,
  old: readonly Edge[],
  labelOf: (source: string, target: string) => string,
): Edge[] {
  const before = new Map(old.map((line) => [line.id, line]));
  const lines = [...linksOf(content.nodes)].flatMap(({ source, slot, target, input }): Edge[] => {
    const from = content.nodes[source];
    if (!from) return [];
    const id = `${target} ${input}`;
    const known = before.get(id);
    if (known?.source === source && known.sourceHandle === String(slot)) return [known];
    const type = definitions.find(from.class_type)?.outputs.at(slot)?.type ?? '*';
    const ends = { source, sourceHandle: String(slot), target, targetHandle: input };
    return [{ id, type: 'link', ...ends, style: `--type: ${colourOf(type)}`, ariaLabel: labelOf(source, target) }];
  });
  return lines.length === old.length && lines.every((each, at) => each === old[at]) ? (old as Edge[]) : lines;
}
