/** What is drawn of a node: its sockets, its values and how each is edited, its outputs. Pure. */
import { linkOf, type Content, type GraphNode, type Link } from './content';
import type { Definitions, InputKind, NodeClass, OutputKind } from './definitions';
import type { Value } from './json';

/** How a value is edited. */
export type WidgetKind = 'choice' | 'whole' | 'number' | 'seed' | 'line' | 'text' | 'switch' | 'other';

/** One input of a node as it is drawn. */
export interface DrawnInput {
  name: string;
  type: string;
  /** Undefined: the class does not declare it, or nobody knows the class. */
  kind: InputKind | undefined;
  /** How its value is edited; undefined: it takes links only. */
  widget: WidgetKind | undefined;
  /** Undefined: it has a value, or nothing. */
  link: Link | undefined;
  /** What it holds; undefined: nothing, so the class's default counts. */
  value: Value | undefined;
  takesLinks: boolean;
}

export interface DrawnNode {
  title: string;
  /** What its class is called; empty: as the title says. */
  className: string;
  isKnown: boolean;
  inputs: readonly DrawnInput[];
  outputs: readonly OutputKind[];
}

// Types of inputs that have a field. Types of two names, as "INT,FLOAT", have none.
const FIELD_TYPES = new Set(['INT', 'FLOAT', 'BOOLEAN', 'STRING', 'COMBO', 'MARKDOWN', 'COLOR', 'TEXTAREA']);
const OTHER_FIELD_TYPES = new Set(
  [
    'BOUNDING_BOX',
    'CURVE',
    'RANGE',
    'FILEUPLOAD',
    'TREESELECT',
    'MULTISELECT',
    'SELECTBUTTON',
    'CHART',
    'GALLERIA',
  ].concat(['PAINTER', 'COLORS', 'WEBCAM', 'LOAD_3D', 'LOAD_3D_ANIMATION', 'AUDIO_RECORD']),
);
const SEEDS = new Set(['seed', 'noise_seed']);
/** A text of more lines, or of so many characters, gets room. */
const LINE_CHARS = 80;

/** `used`: outputs that others link to, by number; a class that nobody knows has at least these. */
export function drawNode(node: GraphNode, definitions: Definitions, used: number): DrawnNode {
  const nodeClass = definitions.find(node.class_type);
  const className = nodeClass?.displayName ?? node.class_type;
  const title = node.title || className;
  return {
    title,
    className: title === className ? '' : className,
    isKnown: nodeClass !== undefined,
    inputs: drawInputs(node, nodeClass),
    outputs: drawOutputs(nodeClass, used),
  };
}

/** How many outputs of each node are linked to: the greatest number and one. */
export function usedOutputs(nodes: Content['nodes']): ReadonlyMap<string, number> {
  const used = new Map<string, number>();
  for (const node of Object.values(nodes)) {
    for (const value of Object.values(node.inputs)) {
      const link = linkOf(value);
      if (link) used.set(link.source, Math.max(used.get(link.source) ?? 0, link.slot + 1));
    }
  }
  return used;
}

/** Those that the class declares, in its order, then what only the node has. */
export function drawInputs(node: GraphNode, nodeClass: NodeClass | undefined): DrawnInput[] {
  const kinds = (nodeClass?.inputs ?? []).flatMap((kind) => expanded(kind, kind.name, node));
  const declared = new Set(kinds.map(([name]) => name));
  const strange = Object.keys(node.inputs).filter((name) => !declared.has(name));
  return [
    ...kinds.map(([name, kind]) => drawInput(node, name, kind)),
    ...strange.map((name) => drawInput(node, name, undefined)),
  ];
}

export function hasField(kind: InputKind): boolean {
  return (
    !kind.forceInput &&
    !kind.growing &&
    (FIELD_TYPES.has(kind.type) || OTHER_FIELD_TYPES.has(kind.type) || hasBranches(kind))
  );
}

export function hasBranches(kind: InputKind): boolean {
  return Object.keys(kind.branches).length > 0;
}

/** What a field begins with; undefined: nothing. */
export function defaultOf(kind: InputKind): Value | undefined {
  if (hasBranches(kind)) return Object.keys(kind.branches)[0];
  if (kind.type === 'COMBO') return kind.default || kind.options?.[0];
  if (kind.default !== undefined) return kind.default;
  return { INT: 0, FLOAT: 0, BOOLEAN: false, STRING: '', MARKDOWN: '', TEXTAREA: '' }[kind.type];
}

/** An input with those that it stands for: of the chosen branch, or as many as there are and one more. */
function expanded(kind: InputKind, name: string, node: GraphNode): [string, InputKind][] {
  if (kind.growing) return grown(kind, name, node).map((each) => [each, { ...kind, type: kind.growing?.type ?? '*' }]);
  if (!hasBranches(kind)) return [[name, kind]];
  const chosen = node.inputs[name] ?? defaultOf(kind);
  const branch = typeof chosen === 'string' ? (kind.branches[chosen] ?? []) : [];
  return [[name, kind], ...branch.flatMap((inner) => expanded(inner, `${name}.${inner.name}`, node))];
}

function grown(kind: InputKind, name: string, node: GraphNode): string[] {
  const present = Object.keys(node.inputs).filter((each) => each.startsWith(`${name}.`));
  const { prefix = '', names = [], most = 0 } = kind.growing ?? {};
  const possible = names.length
    ? names.map((each) => `${name}.${each}`)
    : Array.from({ length: most }, (_, number) => `${name}.${prefix}${number}`);
  const next = possible.find((each) => !present.includes(each));
  return next === undefined ? present : [...present, next];
}

function drawInput(node: GraphNode, name: string, kind: InputKind | undefined): DrawnInput {
  const held = node.inputs[name];
  const link = linkOf(held);
  const value = link ? undefined : held;
  return {
    name,
    kind,
    link,
    value,
    type: kind?.type ?? '*',
    widget: kind
      ? hasField(kind)
        ? widgetOf(kind, name)
        : value === undefined
          ? undefined
          : 'other'
      : widgetFor(value),
    takesLinks: !kind?.isSocketless && !(kind && hasBranches(kind)),
  };
}

function widgetOf(kind: InputKind, name: string): WidgetKind {
  if (hasBranches(kind)) return 'choice';
  switch (kind.type) {
    case 'INT':
      return kind.hasSeedControl || SEEDS.has(name) ? 'seed' : 'whole';
    case 'FLOAT':
      return 'number';
    case 'BOOLEAN':
      return 'switch';
    case 'COMBO':
      return kind.isMultiselect ? 'other' : 'choice';
    case 'MARKDOWN':
    case 'TEXTAREA':
      return 'text';
    case 'STRING':
      return kind.isMultiline ? 'text' : 'line';
    case 'COLOR':
      return 'line';
    default:
      return 'other';
  }
}

/** Of an input of which nobody knows more than what it holds. */
function widgetFor(value: Value | undefined): WidgetKind | undefined {
  switch (typeof value) {
    case 'undefined':
      return undefined;
    case 'bigint':
      return 'whole';
    case 'number':
      return Number.isInteger(value) ? 'whole' : 'number';
    case 'boolean':
      return 'switch';
    case 'string':
      return value.includes('\n') || value.length > LINE_CHARS ? 'text' : 'line';
    default:
      return 'other';
  }
}

function drawOutputs(nodeClass: NodeClass | undefined, used: number): OutputKind[] {
  const outputs = [...(nodeClass?.outputs ?? [])];
  for (let slot = outputs.length; slot < used; slot++) outputs.push({ name: String(slot), type: '*', isList: false });
  return outputs;
}
