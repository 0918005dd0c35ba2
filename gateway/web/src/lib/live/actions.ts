/** What people ask of jobs. Shown at once; the server's answer counts, and a refusal is told at the job. */
import { call } from '$lib/api/call';
import type { Job } from '$lib/api/contract';
import { messageOf } from '$lib/api/errors';
import type { Wish } from '$lib/state/queue';
import { readJob, readUnfinished } from './reading';
import { queue } from './stores.svelte';

export const cancelJob = (jobId: string) => ask(jobId, 'cancel', () => call('CancelJob', { job_id: jobId }));

export const pauseJob = (jobId: string, paused: boolean) =>
  ask(jobId, paused ? 'pause' : 'resume', () => call('UpdateJob', { job_id: jobId, paused }));

export const setPriority = (jobId: string, priority: number) =>
  ask(jobId, 'priority', () => call('UpdateJob', { job_id: jobId, priority }));

/**
 * Right after another job; empty: before all others, whatever their owners and priorities.
 *
 * Not before another one: of several that were moved there the server lets the newest go first, not next to it.
 */
export async function moveJob(jobId: string, after: string): Promise<void> {
  queue.send({ kind: 'moved', job_id: jobId, after });
  const to = after ? { after_job_id: after } : { end: 'QUEUE_END_FIRST' as const };
  await ask(jobId, 'move', () => call('MoveJob', { job_id: jobId, ...to }));
}

/** Gives the new job; undefined: it was refused, which is told at the old one. */
export async function retryJob(jobId: string, newSeeds: boolean): Promise<Job | undefined> {
  return (await ask(jobId, 'retry', () => call('RetryJob', { job_id: jobId, new_seeds: newSeeds })))?.job;
}

/** Forgets a job that has ended; its pictures stay. */
export async function deleteJob(jobId: string): Promise<void> {
  const answer = await ask(jobId, 'delete', () => call('DeleteJob', { job_id: jobId }));
  if (answer) queue.send({ kind: 'forgotten', job_id: jobId });
}

/** What the call gave; undefined: it was refused. */
async function ask<Answer extends { job?: Job }>(
  jobId: string,
  wish: Wish,
  doCall: () => Promise<Answer>,
): Promise<Answer | undefined> {
  queue.send({ kind: 'wished', job_id: jobId, wish });
  try {
    const answer = await doCall();
    if (answer.job) queue.send({ kind: 'answered', jobs: [answer.job], at: Date.now() });
    queue.send({ kind: 'granted', job_id: jobId });
    return answer;
  } catch (error) {
    queue.send({ kind: 'refused', job_id: jobId, reason: messageOf(error) });
    await lookAgain(jobId, wish).catch(() => undefined); // offline: the stream tells when it is back
    return undefined;
  }
}

/** What was refused was asked because something is not as it was thought. */
async function lookAgain(jobId: string, wish: Wish): Promise<void> {
  if (wish === 'move') await readUnfinished(new AbortController().signal);
  else await readJob(jobId);
}
