import { untrack } from 'svelte';

/** A value that changes only by events: what happens is decided by a pure fold, which is tested by itself. */
export class Store<State, Event> {
  #state: State = $state.raw() as State;
  readonly #fold: (state: State, event: Event) => State;

  constructor(initial: State, fold: (state: State, event: Event) => State) {
    this.#state = initial;
    this.#fold = fold;
  }

  /** As it is now. Components that read it are rendered anew when it changes. */
  get state(): State {
    return this.#state;
  }

  /** Lets events happen, in order; watchers see the end only. */
  send(...events: Event[]): void {
    // An effect that sends does not wait for what it sends.
    this.#state = events.reduce(
      this.#fold,
      untrack(() => this.#state),
    );
  }
}
