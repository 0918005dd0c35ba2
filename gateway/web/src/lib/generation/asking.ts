/** Asking the server: for pictures, and beforehand for what would become of it. What it says is sent on as events. */
import { call } from '$lib/api/call';
import type { CreateJobResponse, Job, JobSpec, Json, Sent } from '$lib/api/contract';
import { ApiError, fieldErrors, messageOf, Unreachable } from '$lib/api/errors';
import { seconds } from '$lib/i18n/format';
import {
  AT_BACKEND,
  currentValues,
  type Foreseen,
  type GenerationEvent,
  type GenerationState,
  type Problem,
} from '$lib/state/generation';
import { queue } from '$lib/live/stores.svelte';
import { settled, withStandIns } from './drawings';
import { inputsToSend, type FormSchema, type Values } from './schema';

type Send = (event: GenerationEvent) => void;

const INPUTS = 'spec.workflow.inputs.';

/** Asks for pictures with what the form holds now; may be called again before the answer. Does not throw. */
export async function ask(state: GenerationState, schema: FormSchema, send: Send): Promise<void> {
  send({ kind: 'asked' });
  try {
    const inputs = await settled(inputsToSend(schema, currentValues(state)));
    const job = await create(specOf(state, inputs));
    queue.send({ kind: 'answered', jobs: [job], at: Date.now() });
    send({ kind: 'accepted', jobId: job.job_id, workflowId: state.workflowId, seed: seedOf(job) });
  } catch (error) {
    send({ kind: 'refused', ...refusalOf(error) });
  }
}

/** The request of which no answer was heard: asked again, it is the same one and not a second. */
let unheard: { body: string; key: string } | undefined;

async function create(spec: Sent<JobSpec>): Promise<Job> {
  const body = JSON.stringify(spec);
  const key = unheard?.body === body ? unheard.key : newKey();
  unheard = { body, key };
  const answer = await call('CreateJob', { spec }, { idempotencyKey: key }).catch((error: unknown) => {
    if (!(error instanceof Unreachable)) unheard = undefined;
    throw error;
  });
  if (unheard?.key === key) unheard = undefined;
  return jobOf(answer);
}

/** Random; unlike randomUUID there in pages without TLS, too. */
function newKey(): string {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join('-');
}

/** Asks what would become of the form, without doing it. Throws AbortError when told to, and nothing else. */
export async function foresee(
  state: GenerationState,
  schema: FormSchema,
  send: Send,
  signal: AbortSignal,
): Promise<void> {
  const given = inputsToSend(schema, currentValues(state));
  try {
    const answer = await call(
      'CreateJob',
      { spec: specOf(state, withStandIns(given)), validate_only: true },
      { signal },
    );
    send({ kind: 'foreseen', foreseen: foreseenIn(jobOf(answer), given) });
  } catch (error) {
    if (signal.aborted) throw error;
    if (!(error instanceof ApiError)) return; // offline: the banner tells
    send({ kind: 'judged', errors: errorsIn(error) });
  }
}

function specOf(state: GenerationState, inputs: Record<string, Json>): Sent<JobSpec> {
  const { workflowId: workflow_id, backend, priority } = state;
  return {
    workflow: { workflow_id, inputs },
    ...(backend ? { backend } : {}),
    ...(priority ? { priority } : {}),
  } as Sent<JobSpec>;
}

function jobOf(answer: CreateJobResponse): Job {
  if (!answer.job) throw new Error('the answer holds no job');
  return answer.job;
}

/** The seed of a job's first picture as digits; empty: it has none. */
function seedOf(job: Job): string {
  const seed = job.spec?.workflow?.inputs?.seed ?? job.spec?.image?.seed;
  return seed === undefined || seed === null ? '' : String(seed);
}

/** A seed that was left open is another one at every look: it is no default. */
function foreseenIn(job: Job, given: Values): Foreseen {
  const filled = Object.entries(job.spec?.workflow?.inputs ?? {});
  const defaults = Object.fromEntries(filled.filter(([name]) => !(name in given) && name !== 'seed'));
  const { start_eta, ahead = 0, backend = '' } = job.queue ?? {};
  return { defaults, startsIn: seconds(start_eta), ahead, backend };
}

/** What is wrong at which input. That of the backend has its whole path, so that no input is taken for it. */
function errorsIn(error: unknown): Record<string, string> {
  const backend = fieldErrors(error, AT_BACKEND)[''];
  return { ...fieldErrors(error, INPUTS), ...(backend ? { [AT_BACKEND]: backend } : {}) };
}

/** What is wrong at which input, and what is to be said beside. */
export function refusalOf(error: unknown): { errors: Record<string, string>; problem: Problem } {
  if (error instanceof Unreachable) return { errors: {}, problem: { kind: 'offline', message: '' } };
  if (!(error instanceof ApiError)) return { errors: {}, problem: { kind: 'refused', message: messageOf(error) } };
  const errors = errorsIn(error);
  const retry = error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter };
  const { message: words } = error;
  if (error.status === 503) return { errors, problem: { kind: 'offline', message: words, ...retry } };
  if (error.status === 429) return { errors, problem: { kind: 'busy', message: words, ...retry } };
  const elsewhere = error.errors.filter(({ field }) => !field.startsWith(INPUTS) && field !== AT_BACKEND);
  const message = Object.keys(errors).length
    ? elsewhere.map(({ description }) => description).join('; ')
    : error.message;
  return { errors, problem: { kind: 'refused', message } };
}
