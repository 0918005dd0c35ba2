/**
 * Every job that is known, by its events. Pure.
 *
 * A job is taken from an event that brings it whole, or from an answer, and goes on by its durable events, whose numbers
 * have no gaps: one that is known already is left out, and where one is missing the job is `unsure` and has to be read
 * again. So repeated, late and lost events do no harm.
 */
import type { Job, ModelLoading, Phase, Plan, Preview, Progress } from '$lib/api/contract';
import { after, hasEnded, isDurable, isWaiting, jobIn, type Happening } from './jobs';

/** A preview whose picture is at an address. */
export type Frame = Omit<Preview, 'data'> & { url: string };

/** What changes many times a second, apart from the job, so that only who shows it is rendered again. */
export interface Live {
  progress?: Progress;
  /** The newest preview. */
  preview?: Frame;
  /** What its backend does now. */
  phase?: Phase;
  /** The node at work, and its title; empty: none, or not known. */
  node_id: string;
  title: string;
  /** The model that is being loaded. */
  loading?: ModelLoading;
  /** What the attempt is going to do. Stays when the job has ended, as the newest preview does. */
  plan?: Plan;
  /** When the newest progress came, and the first one of this run: the pace so far. Milliseconds of this machine. */
  progressAt?: number;
  paceFrom?: { at: number; fraction: number };
  /** When the job's place in the queue was told: its times count from here. */
  queueAt?: number;
}

/** What somebody asked of a job, and what has not been answered. */
export type Wish = 'cancel' | 'move' | 'pause' | 'resume' | 'priority' | 'retry' | 'delete';

export interface QueueState {
  /** All that have not ended, and the ended ones that were seen or looked for. */
  jobs: ReadonlyMap<string, Job>;
  live: ReadonlyMap<string, Live>;
  /** Jobs to read again, and the number that their history has at least. */
  unsure: ReadonlyMap<string, number>;
  wishes: ReadonlyMap<string, Wish>;
  /** Why the last wish about a job was refused, in the server's words. */
  refusals: ReadonlyMap<string, string>;
  /** Whether all that has not ended is known. */
  isReady: boolean;
}

/** An event of a job as it comes in: a preview with the address of its picture. */
export type IncomingEvent = Happening & { preview?: Frame };

export type QueueEvent =
  /** Together, because a copy of two thousand jobs for each event would be too much. `at`: this machine's clock. */
  | { kind: 'happened'; events: readonly IncomingEvent[]; at: number }
  /** The server answered with these jobs. */
  | { kind: 'answered'; jobs: readonly Job[]; at: number }
  /** All that has not ended was read. */
  | { kind: 'listed' }
  /** The job is no more. */
  | { kind: 'forgotten'; job_id: string }
  | { kind: 'wished'; job_id: string; wish: Wish }
  /** Shown at once: right after this job; empty: to the front. */
  | { kind: 'moved'; job_id: string; after: string }
  | { kind: 'granted'; job_id: string }
  | { kind: 'refused'; job_id: string; reason: string }
  /** Somebody else is signed in. */
  | { kind: 'signed_out' };

export const MAX_ENDED = 2000;
const NOTHING: Live = { node_id: '', title: '' };

export const initial: QueueState = {
  jobs: new Map(),
  live: new Map(),
  unsure: new Map(),
  wishes: new Map(),
  refusals: new Map(),
  isReady: false,
};

export function fold(state: QueueState, event: QueueEvent): QueueState {
  switch (event.kind) {
    case 'happened':
      return event.events.reduce((draft, one) => draft.take(one, event.at), new Draft(state)).done();
    case 'answered':
      return event.jobs.reduce((draft, job) => draft.know(job, event.at), new Draft(state)).done();
    case 'listed':
      return { ...state, isReady: true };
    case 'forgotten':
      return new Draft(state).forget(event.job_id).done();
    case 'wished':
      return {
        ...state,
        wishes: new Map(state.wishes).set(event.job_id, event.wish),
        refusals: without(state.refusals, event.job_id),
      };
    case 'moved':
      return { ...state, jobs: moved(state.jobs, event.job_id, event.after) };
    case 'granted':
      return { ...state, wishes: without(state.wishes, event.job_id) };
    case 'refused':
      return {
        ...state,
        wishes: without(state.wishes, event.job_id),
        refusals: new Map(state.refusals).set(event.job_id, event.reason),
      };
    case 'signed_out':
      return initial;
  }
}

/** The next state in the making: each map is copied when it is changed first. */
class Draft {
  readonly #before: QueueState;
  #next: { -readonly [Name in keyof QueueState]: QueueState[Name] };

  constructor(state: QueueState) {
    this.#before = state;
    this.#next = { ...state };
  }

  take(event: IncomingEvent, at: number): this {
    if (event.reset) return this.#doubt();
    const whole = jobIn(event);
    if (whole) return this.know(whole, at);
    if (isDurable(event)) return this.#goOn(event);
    return this.#glance(event, at);
  }

  /** The whole job, unless a newer one is known. */
  know(job: Job, at: number): this {
    const known = this.#next.jobs.get(job.job_id);
    const sequence = Number(job.sequence);
    if (sequence >= (this.#next.unsure.get(job.job_id) ?? 0)) this.#drop('unsure', job.job_id);
    if (known && Number(known.sequence) > sequence) return this;
    const { progress, ...rest } = job;
    this.#map('jobs').set(job.job_id, rest);
    if (hasEnded(job)) return this.#end(job.job_id);
    const live = this.#next.live.get(job.job_id) ?? NOTHING;
    const next = progress ? withProgress(live, progress, at) : live;
    this.#map('live').set(job.job_id, job.queue ? { ...next, queueAt: at } : next);
    return this;
  }

  forget(jobId: string): this {
    for (const name of ['jobs', 'live', 'unsure', 'wishes', 'refusals'] as const) this.#drop(name, jobId);
    return this;
  }

  done(): QueueState {
    return this.#next;
  }

  /** A durable event. */
  #goOn(event: IncomingEvent): this {
    const job = this.#next.jobs.get(event.job_id);
    const [known, sequence] = [Number(job?.sequence ?? 0), Number(event.sequence)];
    if (job && sequence <= known) return this;
    if (!job || sequence > known + 1) {
      this.#map('unsure').set(event.job_id, sequence);
      if (!event.plan) return this;
    }
    if (job) this.#map('jobs').set(event.job_id, after(job, event));
    if (event.plan) this.#see(event.job_id, { plan: event.plan });
    if (event.attempt_started || event.state_changed?.to === 'JOB_STATE_QUEUED') this.#beginAnew(event.job_id);
    return this;
  }

  /** An event of which only the newest counts. */
  #glance(event: IncomingEvent, at: number): this {
    const { job_id, progress, preview, phase_changed, model_loading, queue_updated } = event;
    const job = this.#next.jobs.get(job_id);
    if (!job_id || (job && hasEnded(job))) return this;
    if (progress) {
      this.#map('live').set(job_id, withProgress(this.#next.live.get(job_id) ?? NOTHING, progress, at));
    } else if (preview) {
      this.#see(job_id, { preview });
    } else if (phase_changed) {
      const { phase, node_id, title } = phase_changed;
      this.#see(job_id, { phase, node_id, title });
    } else if (model_loading) {
      this.#see(job_id, { phase: 'PHASE_LOADING_MODEL', loading: model_loading });
    } else if (queue_updated && job && isWaiting(job)) {
      this.#map('jobs').set(job_id, { ...job, queue: queue_updated });
      this.#see(job_id, { queueAt: at });
    }
    return this;
  }

  #see(jobId: string, part: Partial<Live>): void {
    this.#map('live').set(jobId, { ...(this.#next.live.get(jobId) ?? NOTHING), ...part });
  }

  /** Another attempt: what the one before showed is over, but for its picture and its plan. */
  #beginAnew(jobId: string): void {
    const { plan, preview } = this.#next.live.get(jobId) ?? NOTHING;
    this.#map('live').set(jobId, { ...NOTHING, ...(plan && { plan }), ...(preview && { preview }) });
  }

  #end(jobId: string): this {
    const live = this.#next.live.get(jobId);
    if (live) this.#beginAnew(jobId);
    this.#drop('wishes', jobId);
    return this.#prune();
  }

  /** The oldest ended jobs go where there are too many; they can be listed again. */
  #prune(): this {
    if (this.#next.jobs.size <= MAX_ENDED) return this;
    const ended = [...this.#next.jobs.values()].filter(hasEnded);
    for (const { job_id } of ended.slice(0, Math.max(0, ended.length - MAX_ENDED))) this.forget(job_id);
    return this;
  }

  /**
   * Events were lost: nothing that had not ended is sure. And numbers mean nothing any more: what follows may be an
   * older copy of what was.
   */
  #doubt(): this {
    for (const job of this.#next.jobs.values()) {
      this.#map('jobs').set(job.job_id, { ...job, sequence: '0' });
      if (!hasEnded(job)) this.#map('unsure').set(job.job_id, 0);
    }
    return this;
  }

  #map<Name extends 'jobs' | 'live' | 'unsure' | 'wishes' | 'refusals'>(name: Name): Writable<QueueState[Name]> {
    if (this.#next[name] === this.#before[name]) this.#next[name] = new Map(this.#before[name] as never) as never;
    return this.#next[name] as never;
  }

  #drop(name: 'jobs' | 'live' | 'unsure' | 'wishes' | 'refusals', jobId: string): void {
    if (this.#next[name].has(jobId)) this.#map(name).delete(jobId);
  }
}

type Writable<T> = T extends ReadonlyMap<infer Key, infer Value> ? Map<Key, Value> : never;

function withProgress(live: Live, progress: Progress, at: number): Live {
  const { loading: _, ...rest } = live;
  const { phase, node_id, title } = progress;
  const isFirst = !live.paceFrom || progress.fraction < live.paceFrom.fraction;
  const paceFrom = isFirst ? { at, fraction: progress.fraction } : live.paceFrom;
  return { ...rest, progress, phase, node_id, title, progressAt: at, ...(paceFrom && { paceFrom }) };
}

function without<Value>(map: ReadonlyMap<string, Value>, key: string): ReadonlyMap<string, Value> {
  if (!map.has(key)) return map;
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}

/** The order that a move will give, until the server tells the true one. */
function moved(jobs: QueueState['jobs'], jobId: string, after: string): QueueState['jobs'] {
  const order = waiting(jobs).filter((job) => job.job_id !== jobId);
  const job = jobs.get(jobId);
  if (!job || !isWaiting(job)) return jobs;
  order.splice(order.findIndex((other) => other.job_id === after) + 1, 0, job);
  const next = new Map(jobs);
  order.forEach((other, ahead) => {
    if (other.queue && other.queue.ahead !== ahead) {
      next.set(other.job_id, { ...other, queue: { ...other.queue, ahead } });
    }
  });
  return next;
}

/** Jobs that wait, next one first. */
export function waiting(jobs: QueueState['jobs']): Job[] {
  const place = (job: Job) => job.queue?.ahead ?? Infinity;
  const waiting = [...jobs.values()].filter(isWaiting);
  return waiting.sort((one, other) => place(one) - place(other) || compareTimes(one, other));
}

/** Jobs that run, the one that was begun first first. */
export function running(jobs: QueueState['jobs']): Job[] {
  const running = [...jobs.values()].filter((job) => !hasEnded(job) && !isWaiting(job));
  return running.sort((one, other) => (one.start_time ?? '').localeCompare(other.start_time ?? ''));
}

/** Jobs that have ended, newest first. */
export function ended(jobs: QueueState['jobs']): Job[] {
  return [...jobs.values()].filter(hasEnded).sort((one, other) => compareTimes(other, one));
}

function compareTimes(one: Job, other: Job): number {
  return (one.create_time ?? '').localeCompare(other.create_time ?? '');
}

/** How many seconds a job that runs still takes, as the pace so far has it; undefined: not known yet. */
export function secondsLeft(live: Live | undefined): number | undefined {
  const { progress, paceFrom, progressAt } = live ?? {};
  if (!progress || !paceFrom || progressAt === undefined) return undefined;
  const done = progress.fraction - paceFrom.fraction;
  if (done < 0.02) return undefined;
  return ((1 - progress.fraction) * (progressAt - paceFrom.at)) / done / 1000;
}
