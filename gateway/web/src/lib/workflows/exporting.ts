/** Workflows as files, and such files read again. */
import type { Sent, Workflow, WorkflowInput } from '$lib/api/contract';
import { fetchWorkflow } from './changing';

/** As ComfyUI takes it from programs, as its page saves it, or with the inputs, as this page reads it. */
export type Format = 'api' | 'ui' | 'ours';

/** Downloads the newest revision. Throws as `call`. */
export async function exportAs(format: Format, { workflow_id }: Pick<Workflow, 'workflow_id'>): Promise<void> {
  const workflow = await fetchWorkflow(workflow_id);
  const suffix = { api: '.api.json', ui: '.json', ours: '.imagegen.json' }[format];
  download(workflow_id + suffix, await contentOf(format, workflow));
}

async function contentOf(format: Format, workflow: Workflow): Promise<string> {
  if (format === 'api') return workflow.graph_json;
  if (format === 'ours') return asFile(workflow);
  // What draws graphs is large, and seldom needed here.
  const [{ loadDefinitions }, { readContent }, { writeUi }] = await Promise.all([
    import('$lib/graph/loading'),
    import('$lib/graph/reading'),
    import('$lib/graph/writing'),
  ]);
  const definitions = await loadDefinitions();
  return writeUi(readContent(workflow, definitions), definitions, 2);
}

/** Our own form: what CreateWorkflow takes, as `imagegen workflows create` does. */
export function asFile(workflow: Workflow): string {
  const { workflow_id, title, description, graph_json, base, inputs, ui_json, labels } = workflow;
  return JSON.stringify({ workflow_id, title, description, graph_json, base, inputs, ui_json, labels }, null, 2);
}

/** The workflow in a file of ours, or in an answer of ImportWorkflow; undefined: the text is neither. */
export function readOurs(text: string): Workflow | undefined {
  const value = parsed(text);
  const candidate = isRecord(value) && isRecord(value['workflow']) ? value['workflow'] : value;
  if (!isRecord(candidate) || !Array.isArray(candidate['inputs'])) return undefined;
  if (!isText(candidate['graph_json']) && !isText(candidate['base'])) return undefined;
  if (!candidate['inputs'].every((each) => isRecord(each) && isText(each['name']))) return undefined;
  const given = candidate as Sent<Workflow>;
  return { ...EMPTY, ...given, inputs: (given.inputs ?? []).map(completed) } as Workflow;
}

/** Hands a file to the browser's downloads. */
function download(name: string, content: string): void {
  const address = URL.createObjectURL(new Blob([content], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000); // some browsers read it after the click
}

const EMPTY = {
  workflow_id: '',
  title: '',
  description: '',
  graph_json: '',
  base: '',
  ui_json: '',
  labels: {},
  revision: 0,
  built_in: false,
  input_schema_json: '',
  owner: '',
};

function completed(input: Sent<WorkflowInput>): Sent<WorkflowInput> {
  const blank = { targets: [], required: false, choices: [], title: '', help: '', group: '' };
  return {
    type: 'WORKFLOW_INPUT_TYPE_UNSPECIFIED',
    model_type: 'MODEL_TYPE_UNSPECIFIED',
    ...blank,
    ...input,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
