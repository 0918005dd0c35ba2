/** When a gallery may have changed. */
import { onDestroy } from 'svelte';
import { queue, system } from '$lib/live/live.svelte';

const PAUSE_MS = 300;

/** Calls a moment after jobs have made pictures, or files have changed otherwise; not more often than it makes sense. */
export function whenPicturesChange(onchange: () => void): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isFirst = true;
  const jobs = $derived(queue.state.jobs);
  const outputs = $derived([...jobs.values()].reduce((count, job) => count + job.outputs.length, 0));
  const changes = $derived(system.state.changes.assets);
  $effect(() => {
    void [outputs, changes];
    if (!isFirst) {
      timer ??= setTimeout(() => {
        timer = undefined;
        onchange();
      }, PAUSE_MS);
    }
    isFirst = false;
  });
  onDestroy(() => clearTimeout(timer));
}
