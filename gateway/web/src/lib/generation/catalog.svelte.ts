/** The models that there are, read once for all controls of the page. Backends tell of themselves: `system`. */
import { call } from '$lib/api/call';
import type { Model } from '$lib/api/contract';
import { rereading } from '$lib/api/rereading';

class Catalog {
  /** Undefined: not read yet. */
  models: readonly Model[] | undefined = $state.raw();

  /** Reads them, unless that was done. Does not throw: without an answer there is nothing to choose from yet. */
  async ensure(): Promise<void> {
    if (!this.models) await this.refresh();
  }

  /** Reads them again. Does not throw. */
  readonly refresh = rereading(() =>
    call('ListModels').then(
      ({ models }) => void (this.models = models),
      () => undefined, // offline: the banner tells, and the next look comes with the connection
    ),
  );
}

export const catalog = new Catalog();
