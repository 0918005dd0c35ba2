/** Graphs in API format as the contract holds them: as text. Pure. */
import { linkOf, type Link } from '$lib/graph/content';
import { parseJson, writeJson, type Value } from '$lib/graph/json';

export interface GraphNode {
  class_type: string;
  /** As somebody wrote it; empty: as the class is called. */
  title: string;
  inputs: Readonly<Record<string, Value>>;
}

type Members = Readonly<Record<string, Value>>;

/** The nodes by id. What is no graph has none: the server says what is wrong with it. */
export function readGraph(graph_json: string): ReadonlyMap<string, GraphNode> {
  return new Map(Object.entries(members(parsed(graph_json))).map(([id, node]) => [id, readNode(members(node))]));
}

/** The same graph with another value at one input. */
export function withValue(graph_json: string, node_id: string, input: string, value: Value): string {
  const nodes = members(parsed(graph_json));
  const node = members(nodes[node_id]);
  const inputs = { ...members(node['inputs']), [input]: value };
  return writeJson({ ...nodes, [node_id]: { ...node, inputs } });
}

/** What the server says of places in a graph, with the names of its nodes: 'Save Image (9), images: is missing'. */
export function withNames(message: string, graph_json: string): string {
  const nodes = readGraph(graph_json);
  return message.replace(/spec\.graph\.json\["([^"]+)"\](?:\.inputs)?(?:\.(\w+))?/g, (_, id: string, input?: string) =>
    [nameOfNode(nodes.get(id), id), input].filter(Boolean).join(', '),
  );
}

/** How ComfyUI's page marks nodes that it does not send: muted and bypassed ones. */
const OFF: ReadonlySet<Value | undefined> = new Set([2, 4]);

/** Names of the nodes that were switched off in the UI format: the graph is without them. */
export function switchedOff(ui_json: string): string[] {
  const { nodes } = members(parsed(ui_json));
  const entries = Array.isArray(nodes) ? (nodes as readonly Value[]).map(members) : [];
  return entries.filter(({ mode }) => OFF.has(mode)).map(({ title, type }) => String(title ?? type ?? ''));
}

/** What a value is, for people: a link by the name of the node that it comes from. */
export function valueInWords(nodes: ReadonlyMap<string, GraphNode>, value: Value): string {
  const link: Link | undefined = linkOf(value);
  if (link) return `${nameOfNode(nodes.get(link.source), link.source)} [${link.slot}]`;
  return typeof value === 'string' ? value : writeJson(value);
}

/** "Load Checkpoint (4)". */
export function nameOfNode(node: GraphNode | undefined, id: string): string {
  const name = node?.title || node?.class_type;
  return name ? `${name} (${id})` : id;
}

function readNode(node: Members): GraphNode {
  const title = members(node['_meta'])['title'];
  return {
    class_type: typeof node['class_type'] === 'string' ? node['class_type'] : '',
    title: typeof title === 'string' ? title : '',
    inputs: members(node['inputs']),
  };
}

function parsed(text: string): Value {
  try {
    return parseJson(text || '{}');
  } catch {
    return {};
  }
}

function members(value: Value | undefined): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};
}
