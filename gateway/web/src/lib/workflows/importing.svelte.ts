/** Brings workflows in: reads what somebody gives, asks whether it would run, and stores it. */
import { call, upload } from '$lib/api/call';
import type { ImportWorkflowRequest, Json, Sent, ValidateWorkflowRequest, Workflow } from '$lib/api/contract';
import { ApiError, fieldErrors, messageOf } from '$lib/api/errors';
import { text } from '$lib/i18n/index.svelte';
import { fold, NOTHING_READ, wanted, type Found, type ImportEvent, type ImportState } from '$lib/state/importing';
import { Store } from '$lib/state/store.svelte';
import { readOurs } from './exporting';

const MAX_TEXT_BYTES = 8 * 1024 * 1024;
const PICTURES = ['image/png', 'image/jpeg', 'image/webp'];

/** What is on its way in; it stays while one looks elsewhere. */
export const importing = new Store<ImportState, ImportEvent>(NOTHING_READ, fold);

/** Reads a file or a text. Never throws: the store says what became of it. */
export async function bring(content: File | string): Promise<void> {
  if (typeof content === 'string') return readText(content, '');
  importing.send({ kind: 'reading', source: content.name });
  if (PICTURES.includes(content.type)) return readPicture(content);
  if (content.size > MAX_TEXT_BYTES) return refuse(text.workflows.importing.tooLarge);
  const words = await content.text();
  if (words.includes('\u0000')) return refuse(text.workflows.importing.unreadable);
  return readText(words, content.name);
}

/** Reads a picture that is stored already. */
export async function bringAsset(digest: string): Promise<void> {
  const source = text.workflows.importing.fromGallery;
  importing.send({ kind: 'reading', source });
  return read(source, { asset: digest });
}

/** Reads the graph again with Open WebUI's node mapping, which says what its inputs are. */
export async function readWithMapping(openwebui_nodes_json: string): Promise<void> {
  const { found } = importing.state;
  if (!found) return;
  const { graph_json, title } = found.workflow;
  try {
    const answer = await call('ImportWorkflow', { text: graph_json, name: title, openwebui_nodes_json });
    importing.send({ kind: 'read', source: found.source, answer });
  } catch (error) {
    importing.send({ kind: 'not_stored', errors: { openwebui_nodes_json: messageOf(error) } });
    return;
  }
  return judge();
}

/** Asks each backend about the workflow as it is now. */
export async function judge(): Promise<void> {
  const { found } = importing.state;
  if (!found) return;
  try {
    const { verdicts } = await call('ValidateWorkflow', question(found));
    importing.send({ kind: 'judged', of: found.workflow, verdicts });
  } catch (error) {
    importing.send({ kind: 'not_stored', errors: { '': messageOf(error), ...fieldErrors(error, 'workflow.') } });
  }
}

/** Takes another value in the graph, and asks again. */
export async function replace(node_id: string, input: string, to: string): Promise<void> {
  importing.send({ kind: 'replaced', node_id, input, to });
  return judge();
}

/** Stores what was found, as it is wanted. */
export async function store(): Promise<void> {
  const { found } = importing.state;
  if (!found) return;
  importing.send({ kind: 'storing' });
  try {
    const { workflow } = await call('CreateWorkflow', { workflow: wanted(found) });
    if (workflow) importing.send({ kind: 'stored', workflow });
  } catch (error) {
    importing.send({ kind: 'not_stored', errors: errorsOf(error) });
  }
}

async function readText(words: string, source: string): Promise<void> {
  const shown = source || text.workflows.importing.pasted;
  importing.send({ kind: 'reading', source: shown });
  if (new Blob([words]).size > MAX_TEXT_BYTES) return refuse(text.workflows.importing.tooLarge);
  const workflow = readOurs(words);
  if (!workflow) return read(shown, { text: words, name: source });
  importing.send({ kind: 'read_ours', source: shown, workflow: { ...workflow, workflow_id: '' } });
  return judge();
}

async function readPicture(file: File): Promise<void> {
  try {
    const { digest } = await upload(file);
    await read(file.name, { asset: digest, name: file.name });
  } catch (error) {
    refuse(messageOf(error));
  }
}

async function read(source: string, request: Sent<ImportWorkflowRequest>): Promise<void> {
  try {
    importing.send({ kind: 'read', source, answer: await call('ImportWorkflow', request) });
  } catch (error) {
    const isPictureOnly = error instanceof ApiError && error.reason === 'NOT_A_WORKFLOW';
    refuse(messageOf(error), isPictureOnly ? request.asset : undefined);
    return;
  }
  return judge();
}

function refuse(message: string, picture?: string): void {
  importing.send({ kind: 'refused', refusal: { message, picture } });
}

/** A graph is asked about as it is; a style is its base with other values. */
function question(found: Found): Sent<ValidateWorkflowRequest> {
  const { graph_json, base } = found.workflow;
  if (graph_json) return { graph_json };
  return { workflow: { workflow_id: base, inputs: defaultsOf(wanted(found)) } };
}

function defaultsOf({ inputs }: Workflow): Record<string, Json> {
  const given = inputs.filter((input) => input.default_value !== undefined);
  return Object.fromEntries(given.map(({ name, default_value }) => [name, default_value as Json]));
}

/** By field of the workflow; "" says it for all. */
function errorsOf(error: unknown): Record<string, string> {
  const fields = fieldErrors(error, 'workflow.');
  if (error instanceof ApiError && error.reason === 'WORKFLOW_EXISTS') return { workflow_id: error.message };
  return Object.keys(fields).length ? fields : { '': messageOf(error) };
}
