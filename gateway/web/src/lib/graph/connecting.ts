/** What can be linked to what, and new nodes that fit. Pure. */
import { linksOf, type Content, type GraphNode } from './content';
import { defaultOf, drawInputs, hasField, type DrawnInput } from './drawing';
import type { Definitions, InputKind, NodeClass } from './definitions';
import type { Value } from './json';
import { fits } from './sockets';

/** An end of a link that somebody holds: an output, or an input of a node. */
export type End = { node_id: string; slot: number } | { node_id: string; input: string };

export interface Connection {
  source: string;
  slot: number;
  target: string;
  input: string;
}

/** "*" where nobody knows. */
export function outputType(content: Content, definitions: Definitions, node_id: string, slot: number): string {
  return definitions.find(content.nodes[node_id]?.class_type ?? '')?.outputs.at(slot)?.type ?? '*';
}

export function inputType(content: Content, definitions: Definitions, node_id: string, input: string): string {
  const node = content.nodes[node_id];
  if (!node) return '*';
  return drawInputs(node, definitions.find(node.class_type)).find((each) => each.name === input)?.type ?? '*';
}

/** Whether a link may be made: the types fit, and nothing would wait for itself. */
export function canConnect(content: Content, definitions: Definitions, link: Connection): boolean {
  const given = outputType(content, definitions, link.source, link.slot);
  const taken = inputType(content, definitions, link.target, link.input);
  return fits(given, taken) && !needs(content.nodes, link.source, link.target);
}

/** Every output that an input could be linked to, in the order of the nodes. */
export function sourcesFor(
  content: Content,
  definitions: Definitions,
  target: string,
  input: string,
): { source: string; slot: number; name: string }[] {
  const taken = inputType(content, definitions, target, input);
  const behind = behindOf(content.nodes, target);
  return Object.values(content.nodes).flatMap((node) => {
    if (behind.has(node.id)) return [];
    const outputs = definitions.find(node.class_type)?.outputs ?? [];
    return outputs.flatMap(({ name, type }, slot) => (fits(type, taken) ? [{ source: node.id, slot, name }] : []));
  });
}

/** The classes that have an end for the one that is held; undefined: all of them. */
export function fitsEnd(nodeClass: NodeClass, content: Content, definitions: Definitions, end: End): boolean {
  if ('slot' in end) {
    const given = outputType(content, definitions, end.node_id, end.slot);
    return inputFor(nodeClass, given) !== undefined;
  }
  const taken = inputType(content, definitions, end.node_id, end.input);
  return nodeClass.outputs.some(({ type }) => fits(type, taken));
}

/** The link between a new node and the end that is held; undefined: none fits. */
export function linkTo(
  node: GraphNode,
  nodeClass: NodeClass,
  content: Content,
  definitions: Definitions,
  end: End,
): Connection | undefined {
  if ('slot' in end) {
    const input = inputFor(nodeClass, outputType(content, definitions, end.node_id, end.slot));
    return input === undefined ? undefined : { source: end.node_id, slot: end.slot, target: node.id, input };
  }
  const taken = inputType(content, definitions, end.node_id, end.input);
  const slot = nodeClass.outputs.findIndex(({ type }) => fits(type, taken));
  return slot < 0 ? undefined : { source: node.id, slot, target: end.node_id, input: end.input };
}

/** The link between a node of the graph and the end that is held: to what is free, if it can be. */
export function linkBetween(
  end: End,
  node_id: string,
  content: Content,
  definitions: Definitions,
): Connection | undefined {
  const node = content.nodes[node_id];
  if (!node) return undefined;
  const nodeClass = definitions.find(node.class_type);
  const links =
    'slot' in end
      ? drawInputs(node, nodeClass)
          .filter((input) => input.takesLinks)
          .sort((a, b) => rank(a) - rank(b))
          .map(({ name }) => ({ source: end.node_id, slot: end.slot, target: node_id, input: name }))
      : (nodeClass?.outputs ?? []).map((_, slot) => ({
          ...{ source: node_id, slot, target: end.node_id, input: end.input },
        }));
  return links.find((link) => canConnect(content, definitions, link));
}

/** Free sockets, then linked ones, then values, which a link would cover. */
function rank({ widget, link }: DrawnInput): number {
  return widget === undefined ? (link ? 1 : 0) : 2;
}

/** A node of a class with the values that it begins with. */
export function newNode(nodeClass: NodeClass, id: string, place: { x: number; y: number }): GraphNode {
  return {
    id,
    class_type: nodeClass.name,
    title: '',
    inputs: Object.fromEntries(nodeClass.inputs.flatMap((kind) => defaults(kind, kind.name))),
    covered: {},
    rest: {},
    ...place,
  };
}

/** Ids that are not taken: whole numbers, counting on from the greatest. */
export function freeIds(nodes: Content['nodes'], count: number): string[] {
  const numbers = Object.keys(nodes).map((id) => parseInt(id, 10));
  const greatest = numbers.reduce((most, number) => (number > most ? number : most), 0);
  return Array.from({ length: count }, (_, at) => String(greatest + 1 + at));
}

/** Sockets first: a value would be covered. */
function inputFor(nodeClass: NodeClass, given: string): string | undefined {
  const fitting = nodeClass.inputs.filter((kind) => !kind.isSocketless && fits(given, kind.growing?.type ?? kind.type));
  const exact = fitting.filter((kind) => kind.type === given);
  const chosen = [...exact, ...fitting].find((kind) => !hasField(kind)) ?? exact[0] ?? fitting[0];
  if (!chosen) return undefined;
  const { growing } = chosen;
  return growing ? `${chosen.name}.${growing.names[0] ?? `${growing.prefix}0`}` : chosen.name;
}

function defaults(kind: InputKind, name: string): [string, Value][] {
  if (!hasField(kind)) return [];
  const value = defaultOf(kind);
  if (value === undefined) return [];
  const branch = typeof value === 'string' ? (kind.branches[value] ?? []) : [];
  return [[name, value], ...branch.flatMap((inner) => defaults(inner, `${name}.${inner.name}`))];
}

function needs(nodes: Content['nodes'], node_id: string, other: string): boolean {
  return behindOf(nodes, other).has(node_id);
}

/** The node itself, and all that need it. */
function behindOf(nodes: Content['nodes'], node_id: string): ReadonlySet<string> {
  const readers = new Map<string, string[]>();
  for (const { source, target } of linksOf(nodes)) readers.set(source, [...(readers.get(source) ?? []), target]);
  const behind = new Set([node_id]);
  for (const id of behind) for (const reader of readers.get(id) ?? []) behind.add(reader);
  return behind;
}
