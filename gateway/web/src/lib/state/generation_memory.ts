/** What a browser remembers of the form, in a form that outlives changes of schemas. Pure. */
import type { Json } from '$lib/api/contract';
import type { Values } from '$lib/generation/schema';
import type { Entered, GenerationState } from './generation';

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
  const values = Object.fromEntries(filled.slice(-MAX_WORKFLOWS)) as Memory['values'];
  return { version: VERSION, workflowId, values, backend, priority, lastSeeds };
}

/** What was remembered, without values that name what is not there; undefined: nothing that can be understood. */
export function recalled(
  memory: unknown,
  isThere: (value: Json) => boolean = () => true,
): { entered: Entered; lastSeeds: Readonly<Record<string, string>> } | undefined {
  if (!isObject(memory) || memory.version !== VERSION) return undefined;
  const { workflowId, values, backend, priority, lastSeeds } = memory;
  const perWorkflow = Object.entries((isObject(values) ? values : {}) as Memory['values'])
    .filter(([, given]) => isObject(given))
    .map(([id, given]): [string, Values] => [id, only(given, isThere)]);
  return {
    entered: {
      workflowId: textOf(workflowId),
      values: Object.fromEntries(perWorkflow),
      backend: textOf(backend),
      priority: Number.isInteger(priority) ? (priority as number) : 0,
    },
    lastSeeds: Object.fromEntries(
      Object.entries(isObject(lastSeeds) ? lastSeeds : {}).map(([id, seed]) => [id, textOf(seed)]),
    ),
  };
}

function only(values: Values, isThere: (value: Json) => boolean): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => isThere(value)));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
