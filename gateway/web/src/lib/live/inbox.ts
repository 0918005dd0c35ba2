/** Takes in what the stream tells, all of one frame together: ten previews a second of several jobs are rendered once. */
import type { Job } from '$lib/api/contract';
import { decode, type Decoded } from './decoding';
import { FrameUrls } from './frames';
import { readUnsure } from './reading';
import type { Told } from './sse';
import { connection, queue, system } from './stores.svelte';

/** A tab that nobody sees draws no frames, */
const UNSEEN_MS = 200;
/** and its timers come once a minute. */
const MAX_WAITING = 1000;
/** A long queue that moves up tells thousands of events: then a few times a second is enough. */
const MANY = 50;

export class Inbox {
  #waiting: Told[] = [];
  #lastCount = 0;
  readonly #frames = new FrameUrls();

  /** `isMine`: whether to tell this page's user what became of a job. */
  constructor(
    private readonly isMine: (job: Job) => boolean,
    private readonly signal: AbortSignal,
  ) {}

  take(told: Told): void {
    this.#waiting.push(told);
    if (this.#waiting.length === MAX_WAITING) return this.flush();
    if (this.#waiting.length > 1) return;
    if (this.#lastCount < MANY) requestAnimationFrame(() => this.flush());
    setTimeout(() => this.flush(), UNSEEN_MS);
  }

  /** Takes in what waits. */
  flush(): void {
    const told = this.#waiting;
    if (told.length === 0) return;
    this.#waiting = [];
    this.#lastCount = told.length;
    const at = Date.now();
    const decoded = decode(told, (jobId, preview) => this.#frames.of(jobId, preview));
    system.send(...decoded.system);
    queue.send({ kind: 'happened', events: decoded.jobs, at });
    queue.send(...decoded.forgotten.map((job_id) => ({ kind: 'forgotten', job_id }) as const));
    this.#tellConnection(decoded, at);
    if (connection.state.phase === 'live' && queue.state.unsure.size > 0) void readUnsure(this.signal);
  }

  clear(): void {
    this.#waiting = [];
    this.#frames.clear();
  }

  #tellConnection({ jobs, isAway }: Decoded, at: number): void {
    for (const { completed, caught_up } of jobs) {
      if (completed?.job && this.isMine(completed.job)) connection.send({ kind: 'ended', job: completed.job });
      if (caught_up) connection.send({ kind: 'caught_up', at });
    }
    // The stream goes on where it was: there is nothing to catch up with.
    if (isAway) connection.send({ kind: 'lost', at });
    else if (isAway === false && connection.state.phase === 'away') connection.send({ kind: 'caught_up', at });
  }
}
