/** What was changed between two revisions of a workflow. Pure. */
import type { Workflow, WorkflowInput } from '$lib/api/contract';
import { nameOfNode, readGraph, valueInWords, type GraphNode } from './graph_text';

/** A value before and after, as people read it; undefined: there was, or is, none. */
export interface Change {
  name: string;
  before: string | undefined;
  after: string | undefined;
}

/** A node or an input. */
export interface Entry {
  id: string;
  title: string;
}

/** One that is in both, and what of it was changed. */
export interface Changed extends Entry {
  changes: Change[];
}

export interface Part {
  added: Entry[];
  removed: Entry[];
  changed: Changed[];
}

export interface Differences {
  /** Title, description and the like. */
  about: Change[];
  nodes: Part;
  inputs: Part;
  /** Whether inputs that are in both are asked for in another order. */
  isReordered: boolean;
}

/** What of a workflow is compared; places of nodes are not. */
export type Comparable = Pick<Workflow, 'title' | 'description' | 'labels' | 'graph_json' | 'inputs'>;

const OF_INPUT = [
  'type',
  'title',
  'help',
  'group',
  'required',
  'default_value',
  'minimum',
  'maximum',
  'step',
  'choices',
  'model_type',
  'targets',
] as const satisfies (keyof WorkflowInput)[];

export function differences(before: Comparable, after: Comparable): Differences {
  const [old, now] = [inputParts(before.inputs), inputParts(after.inputs)];
  const common = [...now.keys()].filter((name) => old.has(name));
  const inOldOrder = [...old.keys()].filter((name) => now.has(name));
  return {
    about: changes(about(before), about(after)),
    nodes: compared(nodeParts(before.graph_json), nodeParts(after.graph_json)),
    inputs: compared(old, now),
    isReordered: common.some((name, place) => inOldOrder[place] !== name),
  };
}

/** Whether nothing was changed. */
export function isSame({ about, nodes, inputs, isReordered }: Differences): boolean {
  const lists = [about, ...[nodes, inputs].flatMap(({ added, removed, changed }) => [added, removed, changed])];
  return !isReordered && lists.every((list) => list.length === 0);
}

/** Something by its id: what it is called, and each thing that is said of it. */
type Parts = ReadonlyMap<string, { title: string; said: Record<string, string> }>;

function compared(old: Parts, now: Parts): Part {
  const entry = (parts: Parts, id: string): Entry => ({ id, title: parts.get(id)?.title ?? id });
  const changed = [...now].map(([id, { title, said }]) => ({
    id,
    title,
    changes: changes(old.get(id)?.said ?? said, said),
  }));
  return {
    added: [...now.keys()].filter((id) => !old.has(id)).map((id) => entry(now, id)),
    removed: [...old.keys()].filter((id) => !now.has(id)).map((id) => entry(old, id)),
    changed: changed.filter((each) => each.changes.length > 0),
  };
}

function changes(before: Record<string, string>, after: Record<string, string>): Change[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .filter((name) => before[name] !== after[name])
    .map((name) => ({ name, before: before[name], after: after[name] }));
}

function about({ title, description, labels }: Comparable): Record<string, string> {
  return filled({ title, description, labels: inText(labels) });
}

function nodeParts(graph_json: string): Parts {
  const nodes = readGraph(graph_json);
  return new Map([...nodes].map(([id, node]) => [id, { title: nameOfNode(node, id), said: ofNode(nodes, node) }]));
}

function ofNode(
  nodes: ReadonlyMap<string, GraphNode>,
  { class_type, title, inputs }: GraphNode,
): Record<string, string> {
  const values = Object.entries(inputs).map(([name, value]) => [name, valueInWords(nodes, value)]);
  return { ...filled({ class_type, title }), ...Object.fromEntries(values) };
}

function inputParts(inputs: readonly WorkflowInput[]): Parts {
  return new Map(inputs.map((input) => [input.name, { title: input.title || input.name, said: ofInput(input) }]));
}

function ofInput(input: WorkflowInput): Record<string, string> {
  const targets = input.targets.map((target) => `${target.node_id}.${target.input}`).join(', ');
  const said = OF_INPUT.map((name) => [name, inText(input[name])] as const);
  return filled({ ...Object.fromEntries(said), targets });
}

function filled(said: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== ''));
}

/** What is said, as text; empty where nothing is. */
function inText(value: unknown): string {
  if (value === undefined || value === false || value === 'MODEL_TYPE_UNSPECIFIED') return '';
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
