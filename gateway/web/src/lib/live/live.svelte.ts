/** What the service tells by itself: jobs, backends, and whether we hear it. */
import { Store } from '$lib/state/store.svelte';
import * as queueState from '$lib/state/queue';
import * as systemState from '$lib/state/system';

export const queue = new Store(queueState.initial, queueState.fold);
export const system = new Store(systemState.initial, systemState.fold);
