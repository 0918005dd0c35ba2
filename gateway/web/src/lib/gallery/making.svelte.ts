/** How a picture was made, read when somebody looks at it. */
import { call } from '$lib/api/call';
import type { Asset, GetGenerationMetadataResponse } from '$lib/api/contract';
import { draftOf } from '$lib/state/remaking';
import type { Draft } from '$lib/state/draft';

/** Somebody who leafs through does not ask for each. */
const PAUSE_MS = 120;

export class Making {
  /** Undefined: not known yet, or nothing can be known. */
  answer: GetGenerationMetadataResponse | undefined = $state.raw();
  isLoading = $state(false);
  problem: unknown = $state.raw();

  /** To be called in an effect: gives what ends it. */
  read(asset: Asset): () => void {
    const abort = new AbortController();
    this.answer = this.problem = undefined;
    this.isLoading = !asset.delete_time; // of what is deleted nothing is told
    const timer = setTimeout(() => void (this.isLoading && this.#ask(asset.digest, abort.signal)), PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }

  async #ask(digest: string, signal: AbortSignal): Promise<void> {
    try {
      this.answer = await call('GetGenerationMetadata', { digest }, { signal });
    } catch (problem) {
      if (!signal.aborted) this.problem = problem;
    }
    if (!signal.aborted) this.isLoading = false;
  }

  /** The form's draft that makes it again; undefined: there is no form for it. */
  get draft(): Draft | undefined {
    return this.answer?.spec && draftOf(this.answer.spec);
  }

  /** The digest of the picture that it was made from; empty: none. */
  get input(): string {
    const digest = this.draft?.inputs.init_image;
    return typeof digest === 'string' ? digest : '';
  }
}
