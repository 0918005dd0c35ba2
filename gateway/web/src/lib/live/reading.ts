/** Reads jobs whose events are not enough: at the beginning, and where some were lost. */
import { call } from '$lib/api/call';
import { ApiError, Unreachable } from '$lib/api/errors';
import type { Job } from '$lib/api/contract';
import { queue } from './stores.svelte';

const PAGE_SIZE = 500;
const AT_ONCE = 4;
/** So many are better read as a list. */
const MANY = 20;

/** Takes in all jobs that have not ended. Throws as `call`. */
export async function readUnfinished(signal: AbortSignal): Promise<void> {
  const states: Job['state'][] = ['JOB_STATE_QUEUED', 'JOB_STATE_RUNNING', 'JOB_STATE_CANCELLING'];
  let page_token = '';
  do {
    const page = await call('ListJobs', { states, page_size: PAGE_SIZE, page_token }, { signal });
    queue.send({ kind: 'answered', jobs: page.jobs, at: Date.now() });
    page_token = page.next_page_token;
  } while (page_token);
  queue.send({ kind: 'listed' });
}

/** Takes in one job; false: there is none. Throws as `call`. */
export async function readJob(jobId: string): Promise<boolean> {
  try {
    const { job } = await call('GetJob', { job_id: jobId });
    if (job) queue.send({ kind: 'answered', jobs: [job], at: Date.now() });
    return true;
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    queue.send({ kind: 'forgotten', job_id: jobId });
    return false;
  }
}

/** After a failure: a server that says no is not asked with each event that comes. */
const PAUSE_MS = 3000;

let isReading = false;
let notBefore = 0;

/** Reads again what is unsure. What fails stays unsure until the next time. */
export async function readUnsure(signal: AbortSignal): Promise<void> {
  if (isReading || Date.now() < notBefore) return;
  isReading = true;
  try {
    if (queue.state.unsure.size > MANY) await readUnfinished(signal);
    const read = new Map<string, number>();
    await Promise.all(Array.from({ length: AT_ONCE }, () => work(read)));
  } catch (error) {
    notBefore = Date.now() + PAUSE_MS;
    if (!isOffline(error)) throw error;
  } finally {
    isReading = false;
  }
}

/** Reads one after another; what became unsure meanwhile comes last. What stays unsure is read once: `read` knows. */
async function work(read: Map<string, number>): Promise<void> {
  for (let jobId = next(read); jobId !== undefined; jobId = next(read)) await readJob(jobId);
}

function next(read: Map<string, number>): string | undefined {
  for (const [jobId, sequence] of queue.state.unsure) {
    if (read.get(jobId) === sequence) continue;
    read.set(jobId, sequence);
    return jobId;
  }
  return undefined;
}

/** Whether an error says no more than that now is not the time: the server is away, or the reader is. */
export function isOffline(error: unknown): boolean {
  const isAbort = error instanceof DOMException && error.name === 'AbortError';
  return isAbort || error instanceof ApiError || error instanceof Unreachable;
}
