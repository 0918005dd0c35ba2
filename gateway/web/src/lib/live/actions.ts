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

/** Right before another job; empty: last of all. */
export function moveJob(jobId: string, before: string): Promise<unknown> {
  queue.send({ kind: 'moved', job_id: jobId, before });
  const to = before ? { before_job_id: before } : { end: 'QUEUE_END_LAST' as const };
  return ask(jobId, 'move', () => call('MoveJob', { job_id: jobId, ...to }));
}

/** Before every other job, whatever their owners and priorities. */
export function moveJobToFront(jobId: string, first: string): Promise<unknown> {
  queue.send({ kind: 'moved', job_id: jobId, before: first });
  return ask(jobId, 'move', () => call('MoveJob', { job_id: jobId, end: 'QUEUE_END_FIRST' as const }));
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
