/** Brings workflows in: reads what somebody gives, asks whether it would run, and stores it. */
import { call, upload } from '$lib/api/call';
import type { ImportWorkflowRequest, Json, Sent, ValidateWorkflowRequest, Workflow } from '$lib/api/contract';
import { ApiError, fieldErrors, messageOf } from '$lib/api/errors';
import { PICTURE_TYPES } from '$lib/generation/pictures';
import { text } from '$lib/i18n/index.svelte';
import { fold, NOTHING_READ, wanted, type Found, type ImportEvent, type ImportState } from '$lib/state/importing';
import { Store } from '$lib/state/store.svelte';
import { readOurs } from './exporting';

const MAX_TEXT_BYTES = 8 * 1024 * 1024;

/** What is on its way in; it stays while one looks elsewhere. */
export const importing = new Store<ImportState, ImportEvent>(NOTHING_READ, fold);

/** How often something was brought. */
let brought = 0;

/** Tells the store, unless something else was brought meanwhile. */
type Tell = (event: ImportEvent) => void;

function teller(): Tell {
  const number = brought;
  return (event) => number === brought && importing.send(event);
}

function begin(source: string): Tell {
  brought += 1;
  importing.send({ kind: 'reading', source });
  return teller();
}

/** Reads a file or a text. Never throws: the store says what became of it. */
export async function bring(content: File | string): Promise<void> {
  if (typeof content === 'string') return readText(content, '', begin(text.workflows.importing.pasted));
  const tell = begin(content.name);
  if (PICTURE_TYPES.includes(content.type)) return readPicture(content, tell);
  if (content.size > MAX_TEXT_BYTES) return refuse(tell, text.workflows.importing.tooLarge);
  const words = await content.text();
  if (words.includes('\u0000')) return refuse(tell, text.workflows.importing.unreadable);
  return readText(words, content.name, tell);
}

/** Reads a picture that is stored already. */
export async function bringAsset(digest: string): Promise<void> {
  const source = text.workflows.importing.fromGallery;
  return read(source, { asset: digest }, begin(source));
}

/** Reads the graph again with Open WebUI's node mapping, which says what its inputs are. */
export async function readWithMapping(openwebui_nodes_json: string): Promise<void> {
  const { found } = importing.state;
  if (!found) return;
  const { graph_json, title } = found.workflow;
  const tell = teller();
  try {
    const answer = await call('ImportWorkflow', { text: graph_json, name: title, openwebui_nodes_json });
    tell({ kind: 'read', source: found.source, answer });
  } catch (error) {
    tell({ kind: 'not_stored', errors: { openwebui_nodes_json: messageOf(error) } });
    return;
  }
  return judge();
}

/** Asks each backend about the workflow as it is now. */
export async function judge(): Promise<void> {
  const { found } = importing.state;
  if (!found) return;
  const tell = teller();
  try {
    const { verdicts } = await call('ValidateWorkflow', question(found));
    tell({ kind: 'judged', of: found.workflow, verdicts });
  } catch (error) {
    tell({ kind: 'not_stored', errors: { '': messageOf(error), ...fieldErrors(error, 'workflow.') } });
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
  const tell = teller();
  tell({ kind: 'storing' });
  try {
    const { workflow } = await call('CreateWorkflow', { workflow: wanted(found) });
    if (workflow) tell({ kind: 'stored', workflow });
  } catch (error) {
    tell({ kind: 'not_stored', errors: errorsOf(error) });
  }
}

async function readText(words: string, source: string, tell: Tell): Promise<void> {
  const shown = source || text.workflows.importing.pasted;
  if (new Blob([words]).size > MAX_TEXT_BYTES) return refuse(tell, text.workflows.importing.tooLarge);
  const workflow = readOurs(words);
  if (!workflow) return read(shown, { text: words, name: source }, tell);
  tell({ kind: 'read_ours', source: shown, workflow: { ...workflow, workflow_id: '' } });
  return judge();
}

async function readPicture(file: File, tell: Tell): Promise<void> {
  try {
    const { digest } = await upload(file);
    await read(file.name, { asset: digest, name: file.name }, tell);
  } catch (error) {
    refuse(tell, messageOf(error));
  }
}

async function read(source: string, request: Sent<ImportWorkflowRequest>, tell: Tell): Promise<void> {
  try {
    tell({ kind: 'read', source, answer: await call('ImportWorkflow', request) });
  } catch (error) {
    const isPictureOnly = error instanceof ApiError && error.reason === 'NOT_A_WORKFLOW';
    refuse(tell, messageOf(error), isPictureOnly ? request.asset : undefined);
    return;
  }
  return judge();
}

function refuse(tell: Tell, message: string, picture?: string): void {
  tell({ kind: 'refused', refusal: { message, picture } });
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
