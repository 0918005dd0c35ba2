/** A list of pictures that is loaded as far as somebody looks, and asked for again when something has changed. */
import { call } from '$lib/api/call';
import type { ListAssetsResponse } from '$lib/api/contract';
import { Unreachable } from '$lib/api/errors';
import { rereading } from '$lib/api/rereading';
import { fold, initial, pageBefore, places, type GalleryEvent, type GalleryState } from '$lib/state/gallery';
import { Store } from '$lib/state/store.svelte';
import { galleryLink, NO_FILTERS, requestOf, type Filters } from './filters';

const FIRST_PAGE = 100;
const PAGE = 500;
const AGAIN_MS = 3000;

export class Gallery {
  readonly #store = new Store<GalleryState, GalleryEvent>(initial, fold);
  #filters: Filters = $state.raw(NO_FILTERS);
  #loading: Promise<void> | undefined = $state.raw();
  #isHolding = false;
  #wanted = 0;
  #seen = 0;
  #abort = new AbortController();
  /** Changes that were begun, and the end of the last of them. */
  #begun = 0;
  #changing: Promise<unknown> = Promise.resolve();
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** Where the view was left, for when somebody comes back to it. */
  scrollTop = 0;

  get state(): GalleryState {
    return this.#store.state;
  }

  get filters(): Filters {
    return this.#filters;
  }

  /** How many pictures there are; undefined: the server has not answered yet. */
  get count(): number | undefined {
    return this.state.next === undefined ? undefined : places(this.state);
  }

  get isLoading(): boolean {
    return this.#loading !== undefined;
  }

  send(...events: GalleryEvent[]): void {
    this.#store.send(...events);
  }

  /** Looks for something else. The same again is only refreshed. */
  begin(filters: Filters): void {
    if (this.state.next !== undefined && galleryLink(filters) === galleryLink(this.#filters))
      return void this.refresh();
    this.stop();
    this.#abort = new AbortController();
    this.#filters = filters;
    this.#wanted = this.#seen = this.scrollTop = 0;
    this.send({ kind: 'began' });
    void this.#load();
  }

  /** Ends what is under way. */
  stop(): void {
    this.#abort.abort();
    clearTimeout(this.#retry);
    this.#loading = undefined;
  }

  /** Somebody sees the places from `first` up to `end`. */
  see(first: number, end: number): void {
    this.#seen = first;
    this.#wanted = Math.max(this.#wanted, end);
    void this.#load();
  }

  /** Loads the list up to its end. */
  async loadAll(): Promise<void> {
    this.#wanted = Infinity;
    await this.#load();
  }

  /** While somebody looks at something, new pictures do not move it. */
  hold(isHolding: boolean): void {
    this.#isHolding = isHolding;
    if (!isHolding) this.send({ kind: 'released' });
  }

  /**
   * Does something to pictures, after what was asked for before: one may be brought back and deleted again in one breath.
   * What the server lists meanwhile may be from before it, so that is asked for again.
   */
  change<Result>(act: () => Promise<Result>): Promise<Result> {
    this.#begun += 1;
    const done = this.#changing.then(act);
    this.#changing = done.catch(() => undefined);
    return done;
  }

  /** Tries again after a failure. */
  retry(): void {
    clearTimeout(this.#retry);
    void this.#load();
  }

  /** Asks again for the newest pictures and for what is seen. */
  readonly refresh = rereading(async () => {
    if (this.state.next === undefined) return;
    const seen = pageBefore(this.state, this.#seen);
    const parts = seen.after ? [{ after: '', token: '' }, seen] : [seen];
    for (const { after, token } of parts) await this.#fetch(after, token, PAGE);
  });

  async #load(): Promise<void> {
    if (!this.#isMissing()) return this.#loading;
    const { signal } = this.#abort;
    this.#loading ??= this.#walk(signal).finally(() => {
      if (!signal.aborted) this.#loading = undefined;
    });
    return this.#loading;
  }

  /** From page to page, as far as is wanted in the meantime. */
  async #walk(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#isMissing()) {
      const { known, next } = this.state;
      const isFetched = await this.#fetch(known.at(-1)?.digest ?? '', next ?? '', next ? PAGE : FIRST_PAGE);
      if (!isFetched) break;
    }
  }

  #isMissing(): boolean {
    const { next, shown } = this.state;
    return next === undefined || (next !== '' && shown.length < this.#wanted);
  }

  /** Whether the page has come; if not, the state says why, or nobody wants it any more. */
  async #fetch(after: string, page_token: string, page_size: number): Promise<boolean> {
    const { signal } = this.#abort;
    const request = { ...requestOf(this.#filters), page_token, page_size };
    try {
      let begun: number;
      let page: ListAssetsResponse;
      do {
        begun = this.#begun;
        await this.#changing;
        page = await call('ListAssets', request, { signal });
      } while (begun !== this.#begun);
      if (!signal.aborted) this.send({ kind: 'loaded', after, page, hold: this.#isHolding });
    } catch (problem) {
      if (signal.aborted) return false;
      this.send({ kind: 'failed', problem });
      // Offline is a state: what was missed then is asked for by itself.
      if (problem instanceof Unreachable) this.#retry = setTimeout(() => this.#comeBack(), AGAIN_MS);
      return false;
    }
    return !signal.aborted;
  }

  #comeBack(): void {
    void this.refresh().then(() => this.#load());
  }
}

/** The one of the view, kept while others are shown. */
export const gallery = new Gallery();
