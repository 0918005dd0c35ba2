/** What is edited, made into what is stored. Pure. */
import type { Content, GraphNode } from './content';
import type { Definitions } from './definitions';
import { writeJson, type Value } from './json';
import { writeUiFormat } from './ui_format';

/** The graph in API format, as JSON text. */
export function writeGraph(content: Content, indent?: number): string {
  return writeJson(apiFormat(content.nodes), indent);
}

/** The graph as ComfyUI's page saves it, with the places of its nodes, as JSON text. */
export function writeUi(content: Content, definitions: Definitions, indent?: number): string {
  return writeJson(writeUiFormat(content, definitions), indent);
}

/** The API format: nodes by id. */
export function apiFormat(nodes: Content['nodes']): { [id: string]: Value } {
  return Object.fromEntries(Object.values(nodes).map((node) => [node.id, writeNode(node)]));
}

/** A node of the API format. */
export function writeNode(node: GraphNode): Value {
  const { _meta, ...others } = node.rest;
  const meta = { ...(_meta as Record<string, Value> | undefined), ...(node.title && { title: node.title }) };
  return {
    inputs: node.inputs,
    class_type: node.class_type,
    ...(Object.keys(meta).length && { _meta: meta }),
    ...others,
  };
}
