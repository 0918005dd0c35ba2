/** The stores of what the service tells by itself. */
import * as connectionState from '$lib/state/connection';
import * as queueState from '$lib/state/queue';
import { Store } from '$lib/state/store.svelte';
import * as systemState from '$lib/state/system';

export const queue = new Store(queueState.initial, queueState.fold);
export const system = new Store(systemState.initial, systemState.fold);
export const connection = new Store(connectionState.initial, connectionState.fold);
