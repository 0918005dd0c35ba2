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

let isReading = false;

/** Reads again what is unsure. What fails stays unsure until the next time. */
export async function readUnsure(signal: AbortSignal): Promise<void> {
  if (isReading) return;
  isReading = true;
  try {
    if (queue.state.unsure.size > MANY) await readUnfinished(signal);
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } catch (error) {
    if (!isOffline(error)) throw error;
  } finally {
    isReading = false;
  }
}

/** Reads one after another; what became unsure meanwhile comes last. */
async function work(): Promise<void> {
  for (let jobId = take(); jobId !== undefined; jobId = take()) {
    try {
      await readJob(jobId);
    } finally {
      beingRead.delete(jobId);
    }
  }
}

const beingRead = new Set<string>();

function take(): string | undefined {
  const jobId = [...queue.state.unsure.keys()].find((one) => !beingRead.has(one));
  if (jobId !== undefined) beingRead.add(jobId);
  return jobId;
}

/** Whether an error says no more than that now is not the time: the server is away, or the reader is. */
export function isOffline(error: unknown): boolean {
  const isAbort = error instanceof DOMException && error.name === 'AbortError';
  return isAbort || error instanceof ApiError || error instanceof Unreachable;
}
