/** What a job is after an event, and questions about jobs. Pure. */
import type { Attempt, Job, JobEvent, JobState, Json } from '$lib/api/contract';

/** An event but for its picture, which is of no matter here. */
export type Happening = Omit<JobEvent, 'preview'>;

const ENDED: ReadonlySet<JobState> = new Set([
  'JOB_STATE_SUCCEEDED',
  'JOB_STATE_FAILED',
  'JOB_STATE_CANCELLED',
  'JOB_STATE_EXPIRED',
]);

export function hasEnded(job: Pick<Job, 'state'>): boolean {
  return ENDED.has(job.state);
}

export function isWaiting(job: Pick<Job, 'state'>): boolean {
  return job.state === 'JOB_STATE_QUEUED';
}

/** Whether it runs, or is being stopped. */
export function isRunning(job: Pick<Job, 'state'>): boolean {
  return job.state === 'JOB_STATE_RUNNING' || job.state === 'JOB_STATE_CANCELLING';
}

/** Whether it was cancelled before anything came of it. */
export function leftNothing(job: Pick<Job, 'state' | 'outputs'>): boolean {
  return job.state === 'JOB_STATE_CANCELLED' && job.outputs.length === 0;
}

/** The backends that work on it. */
export function backendsAtWork(job: Job): string[] {
  const running = job.attempts.filter(({ state }) => state === 'ATTEMPT_STATE_RUNNING');
  return [...new Set(running.map(({ backend }) => backend))];
}

/** What it was asked for by this name, as "prompt" or "init_image"; undefined: nothing. */
export function inputOf(job: Pick<Job, 'spec'>, name: string): Json | undefined {
  const inputs = job.spec?.image ?? job.spec?.workflow?.inputs;
  return (inputs as Record<string, Json> | undefined)?.[name];
}

/** The same as text; empty: nothing. */
export function textOf(job: Pick<Job, 'spec'>, name: string): string {
  const value = inputOf(job, name);
  return typeof value === 'string' ? value : '';
}

/** The whole job where an event brings it. */
export function jobIn(event: Happening): Job | undefined {
  return event.snapshot ?? event.updated?.job ?? event.completed?.job;
}

const DURABLE = ['state_changed', 'attempt_started', 'attempt_failed', 'plan', 'output_ready', 'warning'] as const;

/** Whether the event has a number of its own in the job's history. */
export function isDurable(event: Happening): boolean {
  return Boolean(event.updated ?? event.completed) || DURABLE.some((kind) => event[kind]);
}

/** The job after a durable event that does not bring it whole. */
export function after(job: Job, event: Happening): Job {
  const { state_changed, attempt_started, attempt_failed, output_ready, warning } = event;
  const next: Job = { ...job, sequence: event.sequence };
  if (state_changed) {
    next.state = state_changed.to;
    if (next.state !== 'JOB_STATE_QUEUED') delete next.queue;
  } else if (attempt_started) {
    next.attempts = [...job.attempts, begun(event)];
    next.start_time ??= event.time ?? '';
  } else if (attempt_failed?.attempt) {
    const failed = attempt_failed.attempt;
    next.attempts = job.attempts.map((attempt) => (attempt.number === failed.number ? failed : attempt));
  } else if (output_ready) {
    next.outputs = [...job.outputs, output_ready];
  } else if (warning) {
    next.warnings = [...job.warnings, warning];
  }
  return next;
}

function begun({ attempt_started: begun, time }: Happening): Attempt {
  return {
    number: begun?.number ?? 0,
    backend: begun?.backend ?? '',
    remote_id: '',
    state: 'ATTEMPT_STATE_RUNNING',
    ...(time !== undefined && { start_time: time }),
    first_image: begun?.first_image ?? 0,
    image_count: begun?.image_count ?? 0,
  };
}
