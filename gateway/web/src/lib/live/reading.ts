/** Reads jobs whose events are not enough: at the beginning, and where some were lost. */
import { call } from '$lib/api/call';
import { ApiError, Unreachable } from '$lib/api/errors';
import type { Job } from '$lib/api/contract';
import { queue } from './stores.svelte';

const PAGE_SIZE = 500;
const AT_ONCE = 4;

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
export async function readUnsure(): Promise<void> {
  if (isReading) return;
  isReading = true;
  const waiting = [...queue.state.unsure.keys()];
  const work = async () => {
    for (let jobId = waiting.pop(); jobId; jobId = waiting.pop()) await readJob(jobId);
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } catch (error) {
    if (!(error instanceof ApiError) && !(error instanceof Unreachable)) throw error;
  } finally {
    isReading = false;
  }
}
