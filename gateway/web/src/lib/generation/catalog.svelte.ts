/** The models and backends that there are, read once for all controls of the page. */
import { call } from '$lib/api/call';
import type { Backend, Model } from '$lib/api/contract';

class Catalog {
  /** Undefined: not read yet. */
  models: readonly Model[] | undefined = $state.raw();
  backends: readonly Backend[] | undefined = $state.raw();
  #reading: Promise<void> | undefined;

  /** Reads both, unless that was done. Does not throw: without an answer there is nothing to choose from yet. */
  async ensure(): Promise<void> {
    if (this.models && this.backends) return;
    await this.refresh();
  }

  /** Reads both again; whoever asks while that goes on waits for the same answer. */
  refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #read(): Promise<void> {
    const [models, backends] = await Promise.allSettled([call('ListModels'), call('ListBackends')]);
    if (models.status === 'fulfilled') this.models = models.value.models;
    if (backends.status === 'fulfilled') this.backends = backends.value.backends;
  }
}

export const catalog = new Catalog();
