/** The models that there are, read once for all controls of the page. Backends tell of themselves: `system`. */
import { call } from '$lib/api/call';
import type { Model } from '$lib/api/contract';

class Catalog {
  /** Undefined: not read yet. */
  models: readonly Model[] | undefined = $state.raw();
  #reading: Promise<void> | undefined;

  /** Reads them, unless that was done. Does not throw: without an answer there is nothing to choose from yet. */
  async ensure(): Promise<void> {
    if (!this.models) await this.refresh();
  }

  /** Reads them again; whoever asks while that goes on waits for the same answer. Does not throw. */
  refresh(): Promise<void> {
    this.#reading ??= call('ListModels')
      .then(
        ({ models }) => void (this.models = models),
        () => undefined, // offline: the banner tells, and the next look comes with the connection
      )
      .finally(() => (this.#reading = undefined));
    return this.#reading;
  }
}

export const catalog = new Catalog();
