/** Parts of a graph as text: what the clipboard takes from one graph to another. Pure. */
import { linkOf, type Content, type GraphNode, type Note } from './content';
import { freeIds } from './connecting';
import { parseJson, writeJson, type Value } from './json';
import { readNode } from './reading';
import { writeNode } from './writing';

export interface Part {
  nodes: readonly GraphNode[];
  notes: readonly Note[];
}

const MARK = 'imagegen-nodes';
const MOST_CHARS = 4 * 1024 * 1024;
/** How far beside what it was copied from it lies. */
const BESIDE = 40;

export function partOf(content: Content, ids: ReadonlySet<string>): Part {
  return {
    nodes: Object.values(content.nodes).filter((node) => ids.has(node.id)),
    notes: content.notes.filter((note) => ids.has(note.id)),
  };
}

/** The text of a part, for the clipboard. */
export function writePart({ nodes, notes }: Part): string {
  const places = Object.fromEntries(
    nodes.map(({ id, x, y, width, height, color }) => [id, plain({ x, y, width, height, color })]),
  );
  const graph = Object.fromEntries(nodes.map((node) => [node.id, writeNode(node)]));
  return writeJson({ kind: MARK, graph, places, notes: notes.map((note) => plain({ ...note })) });
}

/** The part in a text: ours, or a graph in API format; undefined: neither. */
export function readPart(text: string): Part | undefined {
  if (text.length > MOST_CHARS || !text.trimStart().startsWith('{')) return undefined;
  const held = parsed(text);
  const graph = fields(held.kind === MARK ? held.graph : held);
  const entries = Object.entries(graph);
  if (entries.some(([, entry]) => typeof fields(entry).class_type !== 'string')) return undefined;
  const places = fields(held.kind === MARK ? held.places : {});
  const notes = held.kind === MARK && Array.isArray(held.notes) ? (held.notes as unknown as Note[]) : [];
  const nodes = entries.map(([id, entry], at) => ({
    ...readNode(id, fields(entry)),
    ...{ x: at * BESIDE, y: at * BESIDE },
    ...(fields(places[id]) as Partial<GraphNode>),
  }));
  return nodes.length || notes.length ? { nodes, notes } : undefined;
}

/**
 * The part with ids of its own, beside where it was, or with its corner at `at`.
 *
 * Links between its nodes are as they were; a link from outside stays if this graph has such a node.
 */
export function placed(part: Part, content: Content, at?: { x: number; y: number }): Part {
  const ids = freeIds(content.nodes, part.nodes.length);
  const renamed = new Map(part.nodes.map((node, number) => [node.id, ids[number] ?? node.id]));
  const all = [...part.nodes, ...part.notes];
  const dx = at ? at.x - Math.min(...all.map(({ x }) => x)) : BESIDE;
  const dy = at ? at.y - Math.min(...all.map(({ y }) => y)) : BESIDE;
  return {
    nodes: part.nodes.map((node) => ({
      ...node,
      id: renamed.get(node.id) ?? node.id,
      inputs: relinked(node, renamed, content),
      ...{ x: node.x + dx, y: node.y + dy },
    })),
    notes: part.notes.map((note) => ({ ...note, id: freeNote(note.id, content), x: note.x + dx, y: note.y + dy })),
  };
}

function relinked(node: GraphNode, renamed: ReadonlyMap<string, string>, content: Content): GraphNode['inputs'] {
  const entries = Object.entries(node.inputs).flatMap(([name, value]): [string, Value][] => {
    const link = linkOf(value);
    if (!link) return [[name, value]];
    const source = renamed.get(link.source) ?? (link.source in content.nodes ? link.source : undefined);
    return source === undefined ? [] : [[name, [source, link.slot]]];
  });
  return Object.fromEntries(entries);
}

function freeNote(id: string, content: Content): string {
  const taken = new Set(content.notes.map((note) => note.id));
  let [candidate, number] = [id, 1];
  while (taken.has(candidate)) candidate = `${id} ${++number}`;
  return candidate;
}

function parsed(text: string): { readonly [name: string]: Value } {
  try {
    return fields(parseJson(text));
  } catch {
    return {}; // somebody copied something else
  }
}

function fields(value: Value | undefined): { readonly [name: string]: Value } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as { [name: string]: Value })
    : {};
}

function plain(part: Record<string, Value | undefined>): Value {
  return Object.fromEntries(
    Object.entries(part).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
