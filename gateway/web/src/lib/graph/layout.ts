/** Places for the nodes of a graph: layers from left to right, and groups that stay together. Pure. */
import dagre from '@dagrejs/dagre';
import { linksOf, type Content, type GraphNode, type NodeGroup, type Place } from './content';
import { drawNode, usedOutputs, type DrawnNode } from './drawing';
import type { Definitions } from './definitions';

export const NODE_WIDTH = 280;
/** These are as on ComfyUI's page: nodes from there lie as close together as they lay there. */
export const TITLE_HEIGHT = 30;
const ROW = 20;
const VALUE_ROW = 24;
const TEXT_ROW = 104;
const PADDING = 8;
/** Between a group's frame and its nodes; above them is its title. */
const FRAME = { side: 24, top: 56 };

/** About how high a node is drawn, at least, below its title. */
export function heightOf(drawn: DrawnNode): number {
  const sockets = drawn.inputs.filter((input) => input.widget === undefined);
  const rows = Math.max(sockets.length, drawn.outputs.length) * ROW;
  const values = drawn.inputs.map((input): number =>
    input.widget === undefined ? 0 : input.widget === 'text' && !input.link ? TEXT_ROW : VALUE_ROW,
  );
  return rows + values.reduce((sum, height) => sum + height, 0) + PADDING;
}

/** The height that a node was given, where it has a text that can fill it; 0: none. */
export function givenHeight(node: GraphNode, { inputs }: DrawnNode): number {
  return inputs.some((input) => input.widget === 'text' && !input.link) ? (node.height ?? 0) : 0;
}

export interface Size {
  width: number;
  height: number;
}

/** Sizes of all nodes, as they are about to be drawn. */
export function sizesOf(nodes: Content['nodes'], definitions: Definitions): ReadonlyMap<string, Size> {
  const used = usedOutputs(nodes);
  return new Map(
    Object.values(nodes).map((node) => {
      const drawn = drawNode(node, definitions, used.get(node.id) ?? 0);
      const height = Math.max(heightOf(drawn), givenHeight(node, drawn));
      return [node.id, { width: node.width ?? NODE_WIDTH, height: TITLE_HEIGHT + height }];
    }),
  );
}

/** The nodes that lie in a group: those whose middle does. */
export function membersOf(group: NodeGroup, nodes: Content['nodes'], sizes: ReadonlyMap<string, Size>): GraphNode[] {
  return Object.values(nodes).filter((node) => {
    const { width, height } = sizes.get(node.id) ?? { width: 0, height: 0 };
    return isIn(group, { x: node.x, y: node.y, width, height });
  });
}

/** Whether the middle of a box lies in a group. */
export function isIn(group: NodeGroup, box: Place & Size): boolean {
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  return x >= group.x && x <= group.x + group.width && y >= group.y && y <= group.y + group.height;
}

/** The content with all nodes in layers, and the groups' frames around what they had in them. */
export function arranged(content: Content, sizes: ReadonlyMap<string, Size>): Content {
  const members = content.groups.map((group) => membersOf(group, content.nodes, sizes));
  const places = placesOf(content.nodes, sizes, members);
  const nodes = Object.fromEntries(
    Object.values(content.nodes).map((node) => [node.id, { ...node, ...places[node.id] }]),
  );
  const groups = content.groups.map((group, at) =>
    framed(
      group,
      (members[at] ?? []).map((node) => nodes[node.id]),
      sizes,
    ),
  );
  return { ...content, nodes, groups };
}

/** Dagre keeps nodes in plain objects, where one that is called "constructor" is there before it comes. */
const named = (id: string) => `node ${id}`;

function placesOf(
  nodes: Content['nodes'],
  sizes: ReadonlyMap<string, Size>,
  members: readonly (readonly GraphNode[])[],
): Record<string, Place> {
  const graph = new dagre.graphlib.Graph({ compound: members.some((each) => each.length > 0) });
  graph.setGraph({ rankdir: 'LR', nodesep: 32, ranksep: 96, edgesep: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of Object.values(nodes)) graph.setNode(named(node.id), { ...sizes.get(node.id) });
  for (const { source, target } of linksOf(nodes)) {
    if (Object.hasOwn(nodes, source)) graph.setEdge(named(source), named(target));
  }
  members.forEach((each, at) => {
    if (each.length) graph.setNode(`group ${at}`, {});
    for (const node of each) graph.setParent(named(node.id), `group ${at}`);
  });
  dagre.layout(graph);
  // Dagre says where middles are.
  const corner = (id: string) => {
    const { x = 0, y = 0, width = 0, height = 0 } = graph.node(named(id));
    return { x: Math.round(x - width / 2), y: Math.round(y - height / 2) };
  };
  return Object.fromEntries(Object.keys(nodes).map((id) => [id, corner(id)]));
}

/** The frame around its nodes; an empty one stays where it is. */
function framed(
  group: NodeGroup,
  nodes: readonly (GraphNode | undefined)[],
  sizes: ReadonlyMap<string, Size>,
): NodeGroup {
  const known = nodes.filter((node) => node !== undefined);
  return { ...group, ...frameAround(known, sizes) };
}

/** The frame that holds some nodes; undefined: there are none. */
export function frameAround(nodes: readonly GraphNode[], sizes: ReadonlyMap<string, Size>): (Place & Size) | undefined {
  if (!nodes.length) return undefined;
  const boxes = nodes.map(({ id, x, y }) => ({ x, y, ...(sizes.get(id) ?? { width: 0, height: 0 }) }));
  const [left, top] = [Math.min(...boxes.map((box) => box.x)), Math.min(...boxes.map((box) => box.y))];
  const right = Math.max(...boxes.map((box) => box.x + box.width));
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  const [x, y] = [left - FRAME.side, top - FRAME.top];
  return { x, y, width: right + FRAME.side - x, height: bottom + FRAME.side - y };
}
