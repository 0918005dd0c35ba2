/** The node definitions of the backends, fetched once while the page is open. */
import { call } from '$lib/api/call';
import { readDefinitions, type Definitions } from './definitions';

let loaded: Promise<Definitions> | undefined;

/** Throws as `call`; then the next call asks anew. `again`: also where they are there. */
export function loadDefinitions(again = false): Promise<Definitions> {
  if (again || !loaded) {
    loaded = call('GetNodeDefinitions').then(({ json }) => readDefinitions(json));
    loaded.catch(() => (loaded = undefined));
  }
  return loaded;
}
