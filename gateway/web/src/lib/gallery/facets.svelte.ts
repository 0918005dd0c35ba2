/** By what pictures can be filtered, and how many there are of each. */
import { call } from '$lib/api/call';
import type { GetAssetFacetsResponse } from '$lib/api/contract';
import { rereading } from '$lib/api/rereading';
import type { Shelf } from './filters';

class Facets {
  /** Undefined: not known. The gallery works without. */
  value: GetAssetFacetsResponse | undefined = $state.raw();

  get counts(): Partial<Record<Shelf, number>> {
    if (!this.value) return {};
    const { pictures, favorites, deleted } = this.value;
    return { made: pictures, favorites, deleted };
  }

  /** Does not throw: what the list itself says is shown. */
  readonly refresh = rereading(async () => {
    this.value = await call('GetAssetFacets').catch(() => this.value);
  });
}

export const facets = new Facets();
