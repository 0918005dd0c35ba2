/** Workflows as the contract has them, made into what is edited. Pure. */
import type { Workflow } from '$lib/api/contract';
import type { Content, GraphNode, NodeGroup, Note } from './content';
import type { Definitions } from './definitions';
import { defaultOf, drawInputs } from './drawing';
import { parseJson, type Value } from './json';
import { arranged, sizesOf, TITLE_HEIGHT } from './layout';
import { OWN_ID } from './ui_format';

type Fields = { readonly [name: string]: Value };

/** Where ComfyUI's page has a node, and how it looks there. */
type Look = Pick<GraphNode, 'x' | 'y' | 'width' | 'height' | 'color'>;

const NOTES = new Set(['Note', 'MarkdownNote']);

/** What a workflow holds, each node at its place. Throws SyntaxError where its graph is no JSON. */
export function readContent(
  workflow: Pick<Workflow, 'title' | 'description' | 'labels' | 'graph_json' | 'ui_json' | 'inputs'>,
  definitions: Definitions,
): Content {
  const ui = readUi(workflow.ui_json);
  const graph = fields(parseJson(workflow.graph_json || '{}'));
  const looks = new Map(list(ui.nodes).flatMap((entry) => readLook(fields(entry))));
  const nodes = Object.entries(graph)
    .map(([id, entry]) => readNode(id, fields(entry), looks.get(id)))
    .map((node) => ({ ...node, covered: coveredIn(node, definitions) }));
  const content = {
    title: workflow.title,
    description: workflow.description,
    labels: workflow.labels,
    nodes: Object.fromEntries(nodes.map((node) => [node.id, node])),
    groups: list(ui.groups).map((entry, at) => readGroup(fields(entry), at)),
    notes: list(ui.nodes).flatMap((entry) => readNote(fields(entry))),
    inputs: workflow.inputs,
  };
  return havePlaces(nodes, looks) ? content : arranged(content, sizesOf(content.nodes, definitions));
}

/** A node of the API format. */
export function readNode(id: string, entry: Fields, look?: Look): GraphNode {
  const { class_type, inputs, _meta, ...others } = entry;
  const { title, ...meta } = fields(_meta);
  return {
    id,
    class_type: text(class_type),
    title: text(title),
    inputs: fields(inputs),
    covered: {},
    x: 0,
    y: 0,
    ...look,
    rest: Object.keys(meta).length ? { ...others, _meta: meta } : others,
  };
}

/** Nodes of subgraphs, and graphs in API format, have none: they would lie on top of each other. */
function havePlaces(nodes: readonly GraphNode[], looks: ReadonlyMap<string, Look>): boolean {
  const places = new Set(nodes.map(({ x, y }) => `${x} ${y}`));
  return nodes.every((node) => looks.has(node.id)) && places.size > nodes.length / 2;
}

/** What fields hold under their links: nobody kept it, so it is what they begin with. */
function coveredIn(node: GraphNode, definitions: Definitions): GraphNode['covered'] {
  const linked = drawInputs(node, definitions.find(node.class_type)).filter((input) => input.link && input.widget);
  return Object.fromEntries(
    linked.flatMap(({ name, kind }) => {
      const value = kind && defaultOf(kind);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Kept for editors only: one that cannot be read is as good as none. */
function readUi(json: string): Fields {
  try {
    return fields(parseJson(json || '{}'));
  } catch {
    return {};
  }
}

function readLook(entry: Fields): [string, Look][] {
  const place = pair(entry.pos);
  if (!place || NOTES.has(text(entry.type))) return [];
  const id = text(fields(entry.properties)[OWN_ID]) || String(entry.id);
  const [width, height] = pair(entry.size) ?? [];
  const size = width && height ? { width: clamp(width, 200, 800), height: clamp(height, 0, 2000) } : {};
  const color = colour(entry.color);
  // There, a node's place is below its title.
  return [[id, { x: place[0], y: place[1] - TITLE_HEIGHT, ...size, ...(color && { color }) }]];
}

function readGroup(entry: Fields, at: number): NodeGroup {
  const [x = 0, y = 0, width = 400, height = 300] = list(entry.bounding).map(Number);
  const color = colour(entry.color);
  return { id: `group ${at}`, title: text(entry.title), x, y, width, height, ...(color && { color }) };
}

function readNote(entry: Fields): Note[] {
  const [place, size] = [pair(entry.pos), pair(entry.size)];
  if (!place || !NOTES.has(text(entry.type))) return [];
  const [width, height] = size ?? [300, 160];
  const [written] = list(entry.widgets_values);
  return [{ id: `note ${String(entry.id)}`, text: text(written), x: place[0], y: place[1], width, height }];
}

/** Two numbers, in a list or, of older pages, in an object {"0": …, "1": …}. */
function pair(value: Value | undefined): [number, number] | undefined {
  const [x, y] = Array.isArray(value) ? value : [fields(value)['0'], fields(value)['1']];
  return Number.isFinite(x) && Number.isFinite(y) ? [x as number, y as number] : undefined;
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}

function colour(value: Value | undefined): string {
  return /^#[0-9a-f]{3,8}$/i.test(text(value)) ? text(value) : '';
}

function fields(value: Value | undefined): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function list(value: Value | undefined): readonly Value[] {
  return Array.isArray(value) ? value : [];
}

function text(value: Value | undefined): string {
  return typeof value === 'string' ? value : '';
}
