/** The inputs of a workflow as they are edited. Pure. */
import type { Json, WorkflowInput, WorkflowInputType } from '$lib/api/contract';
import type { WorkflowEvent } from '$lib/state/workflow';

/** What an input can take, in the order in which to offer it. */
export const TYPES = [
  'WORKFLOW_INPUT_TYPE_STRING',
  'WORKFLOW_INPUT_TYPE_TEXT',
  'WORKFLOW_INPUT_TYPE_INT',
  'WORKFLOW_INPUT_TYPE_FLOAT',
  'WORKFLOW_INPUT_TYPE_BOOL',
  'WORKFLOW_INPUT_TYPE_CHOICE',
  'WORKFLOW_INPUT_TYPE_MODEL',
  'WORKFLOW_INPUT_TYPE_IMAGE',
  'WORKFLOW_INPUT_TYPE_MASK',
  'WORKFLOW_INPUT_TYPE_SEED',
  'WORKFLOW_INPUT_TYPE_LORAS',
] as const satisfies WorkflowInputType[];

/** What the least and the greatest of a type mean; undefined: it has neither. */
export function limitsOf(type: WorkflowInputType): 'number' | 'length' | undefined {
  switch (type) {
    case 'WORKFLOW_INPUT_TYPE_INT':
    case 'WORKFLOW_INPUT_TYPE_FLOAT':
    case 'WORKFLOW_INPUT_TYPE_SEED':
      return 'number';
    case 'WORKFLOW_INPUT_TYPE_STRING':
    case 'WORKFLOW_INPUT_TYPE_TEXT':
      return 'length';
    default:
      return undefined;
  }
}

/** Whether a default of the type can be written in a field. */
export function hasPlainDefault(type: WorkflowInputType): boolean {
  return limitsOf(type) !== undefined ? type !== 'WORKFLOW_INPUT_TYPE_SEED' : hasChoices(type);
}

export function hasChoices(type: WorkflowInputType): boolean {
  return type === 'WORKFLOW_INPUT_TYPE_CHOICE' || type === 'WORKFLOW_INPUT_TYPE_MODEL';
}

/** What somebody wrote as a default; undefined: none. What is no number stays a text: the server says what is wrong. */
export function readDefault(type: WorkflowInputType, written: string): Json | undefined {
  if (written === '') return undefined;
  const isNumber = type === 'WORKFLOW_INPUT_TYPE_INT' || type === 'WORKFLOW_INPUT_TYPE_FLOAT';
  const value = Number(written);
  return isNumber && written.trim() !== '' && Number.isFinite(value) ? value : written;
}

/** A change of one field; undefined unsets it. */
export function changeOf<Name extends keyof WorkflowInput>(
  name: Name,
  value: WorkflowInput[Name] | undefined,
): Partial<WorkflowInput> {
  return { [name]: value } as Partial<WorkflowInput>; // the fold leaves out what is undefined
}

/** What of a style's input differs from its base's; an event that keeps only what differs. */
export function overriding(
  inputs: readonly WorkflowInput[],
  name: string,
  change: Partial<WorkflowInput>,
): WorkflowEvent {
  const now = inputs.find((input) => input.name === name);
  const next = { ...(now ?? blank(name)), ...change };
  if (saysNothing(next)) return { kind: 'unexposed', name };
  return now ? { kind: 'input_changed', name, change } : { kind: 'exposed', input: next };
}

/** The base's inputs, each with what a style says of it. */
export function merged(base: readonly WorkflowInput[], own: readonly WorkflowInput[]): WorkflowInput[] {
  const changes = new Map(own.map((input) => [input.name, input]));
  return base.map((input) => {
    const said = Object.entries(changes.get(input.name) ?? {}).filter(([field, value]) => !isBlank(field, value));
    return { ...input, ...Object.fromEntries(said) };
  });
}

/** What is wrong with each input, by its name and field, out of the errors of UpdateWorkflow. */
export function errorsByInput(
  errors: Readonly<Record<string, string>>,
  inputs: readonly WorkflowInput[],
): Readonly<Record<string, Readonly<Record<string, string>>>> {
  const found: Record<string, Record<string, string>> = {};
  for (const [path, words] of Object.entries(errors)) {
    const [, place, field = ''] = /^inputs\.inputs\[(\d+)\]\.?(\w*)/.exec(path) ?? [];
    const name = place === undefined ? undefined : inputs[Number(place)]?.name;
    if (name !== undefined) found[name] = { ...found[name], [field]: words };
  }
  return found;
}

function blank(name: string): WorkflowInput {
  return {
    name,
    type: 'WORKFLOW_INPUT_TYPE_UNSPECIFIED',
    targets: [],
    required: false,
    choices: [],
    model_type: 'MODEL_TYPE_UNSPECIFIED',
    title: '',
    help: '',
    group: '',
  };
}

function saysNothing(input: WorkflowInput): boolean {
  return Object.entries(input).every(([field, value]) => field === 'name' || field === 'type' || isBlank(field, value));
}

function isBlank(field: string, value: unknown): boolean {
  if (field === 'type') return value === 'WORKFLOW_INPUT_TYPE_UNSPECIFIED';
  if (field === 'default_value') return value === undefined; // an empty text is a default too
  if (Array.isArray(value)) return value.length === 0;
  return value === undefined || value === '' || value === false || value === 'MODEL_TYPE_UNSPECIFIED';
}
