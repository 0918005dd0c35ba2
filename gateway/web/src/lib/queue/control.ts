/** What is asked of the whole queue, or of all jobs of somebody. */
import { forEach } from '$lib/api/at_once';
import { call } from '$lib/api/call';
import { cancelJob } from '$lib/live/actions';
import { system } from '$lib/live/live.svelte';

/** Starts no more jobs, or goes on; empty: of anybody. Throws as `call`. */
export async function pauseQueue(owner: string, isPaused: boolean): Promise<void> {
  const { queue } = await call(isPaused ? 'PauseQueue' : 'ResumeQueue', { owner });
  if (queue) system.send({ kind: 'queue', queue });
}

/** The last one first: so none of them begins because another went. */
export async function cancelAll(jobIds: readonly string[]): Promise<void> {
  await forEach([...jobIds].reverse(), cancelJob);
}
