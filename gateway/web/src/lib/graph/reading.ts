/** Workflows as the contract has them, made into what is edited. Pure. */
import type { Workflow } from '$lib/api/contract';
import { EMPTY_CONTENT } from '$lib/state/workflow';
import type { Content } from './content';
import type { Definitions } from './definitions';

/** What a workflow holds, each node at its place. Throws SyntaxError where its graph is no JSON. */
export function readContent(
  _workflow: Pick<Workflow, 'title' | 'description' | 'labels' | 'graph_json' | 'ui_json' | 'inputs'>,
  _definitions: Definitions,
): Content {
  return EMPTY_CONTENT;
}
