/** What is edited, made into what is stored. Pure. */
import type { Content } from './content';
import type { Definitions } from './definitions';

/** The graph in API format, as JSON text. */
export function writeGraph(_content: Content, _indent?: number): string {
  return '';
}

/** The graph as ComfyUI's page saves it, with the places of its nodes, as JSON text. */
export function writeUi(_content: Content, _definitions: Definitions, _indent?: number): string {
  return '';
}
