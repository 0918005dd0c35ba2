/** What is done to whole workflows. All of it throws as `call`. */
import { call } from '$lib/api/call';
import type { Json, Sent, Workflow } from '$lib/api/contract';
import { text } from '$lib/i18n/index.svelte';
import { nameOf } from './library.svelte';

/** The workflow with its graph. Revision 0: the newest. */
export async function fetchWorkflow(workflow_id: string, revision = 0): Promise<Workflow> {
  return found((await call('GetWorkflow', { workflow_id, ...(revision ? { revision } : {}) })).workflow);
}

export async function create(workflow: Sent<Workflow>): Promise<Workflow> {
  return found((await call('CreateWorkflow', { workflow })).workflow);
}

/** Of a built-in one the copy is a style with defaults of its own; of others the same again under another name. */
export async function duplicate(workflow: Workflow): Promise<Workflow> {
  if (workflow.built_in) return create({ title: text.workflows.styleOf(nameOf(workflow)), base: workflow.workflow_id });
  const { title, description, graph_json, base, inputs, ui_json, labels } = await fetchWorkflow(workflow.workflow_id);
  const copy = { description, graph_json, base, inputs, ui_json, labels };
  return create({ ...copy, title: text.workflows.copyOf(title || workflow.workflow_id) });
}

export async function rename(workflow: Workflow, title: string): Promise<Workflow> {
  const { workflow_id, revision } = workflow;
  return found((await call('UpdateWorkflow', { workflow_id, title, expected_revision: revision })).workflow);
}

/** Gives what is needed to undo it: the workflow as it was. */
export async function remove(workflow_id: string): Promise<() => Promise<Workflow>> {
  const whole = await fetchWorkflow(workflow_id);
  await call('DeleteWorkflow', { workflow_id });
  return () => create(whole);
}

/** The graph that a built-in workflow, or a style of it, becomes. Undefined: it begins with a picture, and none is there. */
export async function asGraph(workflow: Workflow): Promise<string | undefined> {
  const inputs: Record<string, Json> = {};
  if (needsPicture(workflow)) {
    const { assets } = await call('ListAssets', { pictures: true, page_size: 1 });
    const [picture] = assets;
    if (!picture) return undefined;
    for (const name of requiredOf(workflow)) inputs[name] = picture.digest;
  }
  const { workflow_id } = workflow;
  return (await call('RenderWorkflow', { spec: { workflow: { workflow_id, inputs } } })).graph_json;
}

function needsPicture(workflow: Workflow): boolean {
  return requiredOf(workflow).length > 0;
}

/** Of the built-in ones, only pictures and masks are required. */
function requiredOf(workflow: Workflow): string[] {
  return (JSON.parse(workflow.input_schema_json || '{}') as { required?: string[] }).required ?? [];
}

function found(workflow: Workflow | undefined): Workflow {
  if (!workflow) throw new Error('the answer has no workflow');
  return workflow;
}
