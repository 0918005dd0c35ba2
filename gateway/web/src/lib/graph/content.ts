/** A workflow as it is edited: its graph with the places of its nodes, and its inputs. Pure. */
import type { InputTarget, WorkflowInput } from '$lib/api/contract';
import type { Value } from './json';

/** What can be undone: everything that a revision holds. */
export interface Content {
  title: string;
  description: string;
  labels: Readonly<Record<string, string>>;
  /** Nodes by id. */
  nodes: Readonly<Record<string, GraphNode>>;
  groups: readonly NodeGroup[];
  notes: readonly Note[];
  /** In the order in which to ask for them. */
  inputs: readonly WorkflowInput[];
}

export const EMPTY_CONTENT: Content = {
  title: '',
  description: '',
  labels: {},
  nodes: {},
  groups: [],
  notes: [],
  inputs: [],
};

export interface GraphNode {
  id: string;
  class_type: string;
  /** As somebody wrote it; empty: as the class is called. */
  title: string;
  /** As in the API format, in its order: values, and links ["id of a node", number of its output]. */
  inputs: Readonly<Record<string, Value>>;
  /** Values that links cover: they come back when the link goes. */
  covered: Readonly<Record<string, Value>>;
  x: number;
  y: number;
  /** In pixels; absent: as wide as usual. */
  width?: number;
  /** Of what is below its title, at least; its texts fill it. Absent: as high as it must be. */
  height?: number;
  /** "#rrggbb"; absent: as usual. */
  color?: string;
  /** What else the API format held of it, kept as it is. */
  rest: Readonly<Record<string, Value>>;
}

/** A frame around nodes. */
export interface NodeGroup {
  id: string;
  title: string;
  x: number;
  y: number;
  width: number;
  height: number;
  color?: string;
}

/** A text that lies on the canvas and is never sent. */
export interface Note {
  id: string;
  text: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Place {
  x: number;
  y: number;
}

/** A link of a node's input to an output. */
export interface Link {
  source: string;
  slot: number;
}

/** The link that an input's value is; undefined: it is a value. */
export function linkOf(value: Value | undefined): Link | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [source, slot] = value as readonly Value[];
  return typeof source === 'string' && Number.isInteger(slot) ? { source, slot: slot as number } : undefined;
}

/** Every link of a graph, by the input that it ends at. */
export function* linksOf(nodes: Content['nodes']): Generator<Link & { target: string; input: string }> {
  for (const node of Object.values(nodes)) {
    for (const [input, value] of Object.entries(node.inputs)) {
      const link = linkOf(value);
      if (link) yield { ...link, target: node.id, input };
    }
  }
}

/** The workflow's input that sets an input of a node; undefined: none does. */
export function exposedAt(inputs: readonly WorkflowInput[], node_id: string, input: string): WorkflowInput | undefined {
  return inputs.find((each) => each.targets.some((target) => isAt(target, node_id, input)));
}

export function isAt(target: InputTarget, node_id: string, input: string): boolean {
  return target.node_id === node_id && target.input === input;
}

/** The nodes, each after those that it needs, as far as that is possible. */
export function inOrder(nodes: Content['nodes']): GraphNode[] {
  const order = new Map<string, GraphNode>();
  const entered = new Set<string>();
  const pending = Object.values(nodes).reverse();
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (order.has(node.id)) continue;
    const sources = entered.has(node.id) ? [] : missing(node, nodes, order);
    entered.add(node.id);
    if (sources.length) pending.push(node, ...sources.reverse());
    else order.set(node.id, node);
  }
  return [...order.values()];
}

function missing(node: GraphNode, nodes: Content['nodes'], order: ReadonlyMap<string, GraphNode>): GraphNode[] {
  return Object.values(node.inputs).flatMap((value) => {
    const source = nodes[linkOf(value)?.source ?? ''];
    return source && !order.has(source.id) ? [source] : [];
  });
}
