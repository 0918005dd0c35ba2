/** Pages of jobs that have ended. The jobs themselves are in the queue's store; here is how far they have been read. */
import { call } from '$lib/api/call';
import type { ListJobsRequest, Sent } from '$lib/api/contract';
import { queue } from '$lib/live/live.svelte';

export class EndedPages {
  /** All that were created then or later are known; undefined: nothing was read yet; empty: all are known. */
  since: string | undefined = $state();
  isLoading = $state(false);
  problem: unknown = $state.raw();
  #request: Sent<ListJobsRequest> = {};
  #token = '';
  #abort = new AbortController();

  /** Begins with another list. */
  begin(request: Sent<ListJobsRequest>): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#request = request;
    this.#token = '';
    this.since = undefined;
    this.isLoading = false;
    void this.more();
  }

  /** Reads the next page. */
  async more(): Promise<void> {
    if (this.isLoading) return;
    const { signal } = this.#abort;
    this.isLoading = true;
    this.problem = undefined;
    try {
      const page = await call('ListJobs', { ...this.#request, page_token: this.#token }, { signal });
      if (signal.aborted) return;
      queue.send({ kind: 'answered', jobs: page.jobs, at: Date.now() });
      this.#token = page.next_page_token;
      this.since = this.#token ? (page.jobs.at(-1)?.create_time ?? '') : '';
    } catch (problem) {
      if (!signal.aborted) this.problem = problem;
    } finally {
      if (!signal.aborted) this.isLoading = false;
    }
  }

  get hasMore(): boolean {
    return this.#token !== '' && this.since !== '';
  }

  end(): void {
    this.#abort.abort();
  }
}
