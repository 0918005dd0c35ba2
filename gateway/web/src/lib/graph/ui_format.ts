/** The UI format: a graph as ComfyUI's page saves it and opens it again. Pure. */
import { inOrder, linksOf, type Content, type GraphNode } from './content';
import type { Definitions, NodeClass } from './definitions';
import { defaultOf, drawNode, usedOutputs, type DrawnInput, type DrawnNode } from './drawing';
import type { Value } from './json';
import { heightOf, NODE_WIDTH, TITLE_HEIGHT } from './layout';

interface UiLink {
  id: number;
  source: string;
  slot: number;
  target: string;
  input: string;
  type: string;
}

/** The nodes as they are written: with numbers for ids, and their inputs in the page's order. */
interface Writing {
  numbers: ReadonlyMap<string, number>;
  drawn: ReadonlyMap<string, DrawnNode>;
  links: readonly UiLink[];
}

/** Of a node that has another id here: the id that it has in the API format. */
export const OWN_ID = 'imagegen_id';
const LARGEST_NUMBER = 2 ** 31;

export function writeUiFormat(content: Content, definitions: Definitions): Value {
  const used = usedOutputs(content.nodes);
  const nodes = inOrder(content.nodes);
  const drawn = new Map(nodes.map((node) => [node.id, drawNode(node, definitions, used.get(node.id) ?? 0)]));
  const numbers = numbersOf(nodes);
  const links = readLinks(content, drawn);
  const writing = { numbers, drawn, links };
  const first = Math.max(0, ...numbers.values()) + 1;
  const notes = content.notes.map((note, at) => ({
    ...{ id: first + at, type: 'Note', pos: [note.x, note.y], size: [note.width, note.height], flags: {} },
    ...{ order: nodes.length + at, mode: 0, inputs: [], outputs: [], properties: {}, widgets_values: [note.text] },
  }));
  return {
    last_node_id: first + notes.length - 1,
    last_link_id: links.length,
    nodes: [
      ...nodes.map((node, order) => writeNode(node, order, writing, definitions.find(node.class_type))),
      ...notes,
    ],
    links: links.map((link) => writeLink(link, writing)),
    groups: content.groups.map(({ title, x, y, width, height, color }) => ({
      ...{ title, bounding: [x, y, width, height], color: color ?? '#3f789e', font_size: 24, flags: {} },
    })),
    config: {},
    extra: {},
    version: 0.4,
  };
}

/** Numbers where the ids are such; the page counts on from the greatest. */
function numbersOf(nodes: readonly GraphNode[]): Map<string, number> {
  const isNumber = (id: string) => String(Number(id)) === id && Number.isInteger(Number(id)) && Number(id) >= 0;
  const own = nodes.filter((node) => isNumber(node.id) && Number(node.id) < LARGEST_NUMBER);
  const numbers = new Map(own.map((node) => [node.id, Number(node.id)]));
  let next = Math.max(0, ...numbers.values()) + 1;
  for (const node of nodes) if (!numbers.has(node.id)) numbers.set(node.id, next++);
  return numbers;
}

function readLinks(content: Content, drawn: ReadonlyMap<string, DrawnNode>): UiLink[] {
  const real = [...linksOf(content.nodes)].filter((link) => link.source in content.nodes);
  return real.map((link, at) => ({
    ...link,
    id: at + 1,
    type: drawn.get(link.source)?.outputs.at(link.slot)?.type ?? '*',
  }));
}

function writeLink({ id, source, slot, target, input, type }: UiLink, { numbers, drawn }: Writing): Value {
  const inputs = drawn.get(target)?.inputs ?? [];
  const place = shownInputs(inputs).findIndex((each) => each.name === input);
  return [id, numbers.get(source) ?? 0, slot, numbers.get(target) ?? 0, place, type];
}

/** Sockets first; of the inputs with fields only those that are linked, or older pages would hide the fields. */
function shownInputs(inputs: readonly DrawnInput[]): DrawnInput[] {
  const sockets = inputs.filter((input) => input.widget === undefined);
  return [...sockets, ...inputs.filter((input) => input.widget !== undefined && input.link)];
}

function writeNode(node: GraphNode, order: number, writing: Writing, nodeClass: NodeClass | undefined): Value {
  const drawn = writing.drawn.get(node.id);
  const { inputs = [], outputs = [] } = drawn ?? {};
  const number = writing.numbers.get(node.id) ?? 0;
  return {
    id: number,
    type: node.class_type,
    pos: [node.x, node.y + TITLE_HEIGHT],
    size: [node.width ?? NODE_WIDTH, node.height ?? (drawn ? heightOf(drawn) : 0)],
    flags: {},
    order,
    mode: 0,
    inputs: shownInputs(inputs).map((input) => writeInput(node, input, writing)),
    outputs: outputs.map(({ name, type }, slot) => {
      const links = writing.links.filter((link) => link.source === node.id && link.slot === slot);
      return { name, type, links: links.length ? links.map((link) => link.id) : null, slot_index: slot };
    }),
    ...(node.title && { title: node.title }),
    properties: {
      'Node name for S&R': node.class_type,
      ...(String(number) !== node.id && { [OWN_ID]: node.id }),
    },
    widgets_values: nodeClass ? valuesOf(node, inputs) : namedValues(inputs),
    ...(node.color && { color: node.color }),
  };
}

function writeInput(node: GraphNode, { name, type, widget, kind }: DrawnInput, { links }: Writing): Value {
  const link = links.find((each) => each.target === node.id && each.input === name)?.id ?? null;
  return { name, type, link, ...(widget !== undefined && kind && { widget: { name } }) };
}

/** By position: with one more value after each seed. "fixed", so that the page runs what it was given. */
function valuesOf(node: GraphNode, inputs: readonly DrawnInput[]): Value[] {
  return inputs.flatMap(({ name, kind, value, widget }) => {
    if (!kind || widget === undefined) return [];
    const held = value ?? node.covered[name] ?? defaultOf(kind) ?? null;
    if (widget === 'seed') return [held, 'fixed'];
    if (kind.type === 'COMBO' && kind.hasSeedControl) return [held, 'fixed', ''];
    // What the page would choose from anew each time it queues is one text by now.
    return [kind.hasDynamicPrompts && typeof held === 'string' ? held.replace(/[{}]/g, '\\$&') : held];
  });
}

/** Of a class that nobody knows: by name, because nothing says in which order. */
function namedValues(inputs: readonly DrawnInput[]): Value {
  return Object.fromEntries(inputs.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])));
}
