/** What a browser remembers of the form, in a form that outlives changes of schemas. Pure. */
import type { Json } from '$lib/api/contract';
import type { Values } from '$lib/generation/schema';
import { type Entered, type GenerationState, lasting } from './generation';

/** Raised when what is kept means something else; what has another version is forgotten. */
const VERSION = 1;
const MAX_WORKFLOWS = 50;

export interface Memory {
  version: number;
  workflowId: string;
  values: Record<string, Record<string, Json>>;
  backend: string;
  priority: number;
  lastSeeds: Record<string, string>;
}

export function remembered(state: GenerationState): Memory {
  const { workflowId, backend, priority, lastSeeds } = state;
  const filled = Object.entries(state.values).filter(([id, values]) => id === workflowId || Object.keys(values).length);
  // The newest are last: what was not touched for fifty workflows goes.
  const values = filled
    .slice(-MAX_WORKFLOWS)
    .map(([id, given]): [string, Record<string, Json>] => [id, lasting(given)]);
  return { version: VERSION, workflowId, values: Object.fromEntries(values), backend, priority, lastSeeds };
}

/** What was remembered; undefined: nothing that can be understood. */
export function recalled(
  memory: unknown,
): { entered: Entered; lastSeeds: Readonly<Record<string, string>> } | undefined {
  if (!isObject(memory) || memory.version !== VERSION) return undefined;
  const { workflowId, values, backend, priority, lastSeeds } = memory;
  const perWorkflow = Object.entries(isObject(values) ? values : {}).filter(([, given]) => isObject(given));
  return {
    entered: {
      workflowId: textOf(workflowId),
      values: Object.fromEntries(perWorkflow) as Record<string, Values>,
      backend: textOf(backend),
      priority: Number.isInteger(priority) ? (priority as number) : 0,
    },
    lastSeeds: Object.fromEntries(
      Object.entries(isObject(lastSeeds) ? lastSeeds : {}).map(([id, seed]) => [id, textOf(seed)]),
    ),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
