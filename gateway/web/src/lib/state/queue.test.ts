import { describe, expect, test } from 'vitest';
import type { Job } from '$lib/api/contract';
import { hasEnded } from './jobs';
import {
  ended,
  fold,
  initial,
  MAX_ENDED,
  running,
  secondsLeft,
  waiting,
  type IncomingEvent,
  type QueueEvent,
  type QueueState,
} from './queue';
import { answers, events, last } from './testing/recording';

const NOW = 1_000_000;

function happened(...events: IncomingEvent[]): QueueEvent {
  return { kind: 'happened', events, at: NOW };
}

function event(jobId: string, sequence: number, body: Partial<IncomingEvent>): IncomingEvent {
  return { job_id: jobId, sequence: String(sequence), attempt: 1, resume_token: '', ...body };
}

function job(jobId: string, changes: Partial<Job> = {}): Job {
  return { ...(last[0] as Job), job_id: jobId, state: 'JOB_STATE_QUEUED', sequence: '1', outputs: [], ...changes };
}

function knowing(...jobs: Job[]): QueueState {
  return fold(initial, { kind: 'answered', jobs, at: NOW });
}

/** What the page does with a stream: jobs that are unsure are read, which gives the oldest answer that is new enough. */
function fed(state: QueueState, stream: readonly IncomingEvent[]): QueueState {
  for (const one of stream) {
    state = fold(state, happened(one));
    for (const [jobId, sequence] of state.unsure) {
      const answer = answers.find((job) => job.job_id === jobId && Number(job.sequence) >= sequence);
      if (answer) state = fold(state, { kind: 'answered', jobs: [answer], at: NOW });
    }
  }
  return state;
}

/** A job as far as events tell of it: what the server chose, a run's own id and its end come with the whole job only. */
function told(job: Job | undefined): unknown {
  const { spec: _, queue: __, progress: ___, attempts = [], ...rest } = job ?? ({} as Job);
  const runs = attempts.map(({ remote_id: _, end_time: __, state, ...run }) => ({
    ...run,
    failed: state.endsWith('FAILED'),
  }));
  return { ...rest, attempts: runs };
}

describe('a recorded stream', () => {
  test('gives in the end what GetJob says', () => {
    const state = fed(initial, events);
    expect(state.unsure.size).toBe(0);
    for (const job of last) expect(state.jobs.get(job.job_id)).toEqual(job);
  });

  test('is the same after a break at any event, with duplicates', () => {
    const whole = fed(initial, events);
    for (const [index] of events.entries()) {
      const before = fed(initial, events.slice(0, index));
      const resumed = fed(before, events.slice(Math.max(0, index - 10)));
      expect(resumed.jobs, `broken at ${index}`).toEqual(whole.jobs);
    }
  });

  test('gives on the way what GetJob said then', () => {
    for (const then of answers) {
      const first = answers.find(({ job_id }) => job_id === then.job_id) as Job;
      const upTo = events.filter((one) => one.job_id === then.job_id && Number(one.sequence) <= Number(then.sequence));
      const state = fed(knowing(first), upTo);
      expect(told(state.jobs.get(then.job_id)), `${then.job_id} at ${then.sequence}`).toEqual(told(then));
    }
  });

  test('goes on where the page was reloaded, with jobs that were listed', () => {
    const half = Math.floor(events.length / 2);
    const listed = fed(initial, events.slice(0, half)).jobs.values();
    const state = fed(knowing(...[...listed].filter((job) => !hasEnded(job))), events.slice(half));
    for (const job of last.filter(({ job_id }) => events.slice(half).some((one) => one.job_id === job_id))) {
      expect(state.jobs.get(job.job_id)).toEqual(job);
    }
  });
});

describe('what is not sure', () => {
  test('is a job of which an event is missing', () => {
    const state = fold(
      knowing(job('a', { sequence: '3' })),
      happened(event('a', 5, { warning: { code: 'X', message: 'x' } })),
    );
    expect(state.unsure).toEqual(new Map([['a', 5]]));
  });

  test('stays so until an answer is new enough', () => {
    const state = fold(initial, happened(event('a', 4, { warning: { code: 'X', message: 'x' } })));
    const early = fold(state, { kind: 'answered', jobs: [job('a', { sequence: '3' })], at: NOW });
    expect(early.unsure.size).toBe(1);
    expect(fold(early, { kind: 'answered', jobs: [job('a', { sequence: '4' })], at: NOW }).unsure.size).toBe(0);
  });

  test('is never an answer that comes late: the newer copy stays', () => {
    const known = knowing(job('a', { sequence: '7', paused: true }));
    expect(fold(known, { kind: 'answered', jobs: [job('a', { sequence: '3' })], at: NOW }).jobs.get('a')?.paused).toBe(
      true,
    );
  });

  test('after a reset an older copy counts', () => {
    const before = knowing(job('a', { sequence: '7' }), job('b', { sequence: '7', state: 'JOB_STATE_SUCCEEDED' }));
    const reset = event('', 0, { reset: { reason: 'put back' } });
    let state = fold(before, happened(reset, event('b', 3, { snapshot: job('b', { sequence: '3' }) })));
    state = fold(state, { kind: 'answered', jobs: [job('a', { sequence: '3' })], at: NOW });
    expect(state.unsure.size).toBe(0);
    expect([...state.jobs.values()].map(({ sequence, state }) => [sequence, state])).toEqual([
      ['3', 'JOB_STATE_QUEUED'],
      ['3', 'JOB_STATE_QUEUED'],
    ]);
  });

  test('is after a reset all that had not ended, but for what the snapshots tell', () => {
    const ended = job('e', { state: 'JOB_STATE_SUCCEEDED' });
    const reset = event('', 0, { reset: { reason: 'too old' } });
    const state = fold(knowing(job('a'), job('b'), ended), happened(reset, event('b', 1, { snapshot: job('b') })));
    expect([...state.unsure.keys()]).toEqual(['a']);
  });
});

describe('the live part', () => {
  const progress = (fraction: number) => ({
    progress: {
      fraction,
      phase: 'PHASE_SAMPLING' as const,
      step: 1,
      steps: 10,
      image_index: 0,
      node_id: '3',
      title: 'KSampler',
    },
  });

  test('changes without the jobs, so that lists are not rendered again', () => {
    const state = knowing(job('a', { state: 'JOB_STATE_RUNNING' }), job('b'));
    const next = fold(state, happened(event('a', 1, progress(0.1))));
    expect(next.jobs).toBe(state.jobs);
    expect(next.live.get('b')).toBe(state.live.get('b'));
    expect(next.live.get('a')).toMatchObject({ node_id: '3', title: 'KSampler', phase: 'PHASE_SAMPLING' });
  });

  test('tells what is left by the pace so far', () => {
    let state = knowing(job('a', { state: 'JOB_STATE_RUNNING' }));
    state = fold(state, { kind: 'happened', events: [event('a', 1, progress(0))], at: 0 });
    expect(secondsLeft(state.live.get('a'))).toBeUndefined();
    state = fold(state, { kind: 'happened', events: [event('a', 1, progress(0.25))], at: 5000 });
    expect(secondsLeft(state.live.get('a'))).toBe(15);
  });

  test('tells what is left by the pace since it began anew', () => {
    let state = knowing(job('a', { state: 'JOB_STATE_RUNNING' }));
    for (const [at, fraction] of [
      [0, 0.5],
      [5000, 0.1],
      [6000, 0.2],
    ] as const) {
      state = fold(state, { kind: 'happened', events: [event('a', 1, progress(fraction))], at });
    }
    expect(secondsLeft(state.live.get('a'))).toBeCloseTo(8);
  });

  test('of an attempt is over with it, but the plan and the picture stay', () => {
    const plan = { nodes: [], images: 1 };
    let state = knowing(job('a', { state: 'JOB_STATE_RUNNING' }));
    state = fold(state, happened(event('a', 2, { plan }), event('a', 2, progress(0.5))));
    const completed = { job: job('a', { state: 'JOB_STATE_FAILED', sequence: '3' }) };
    state = fold(state, happened(event('a', 3, { completed }), event('a', 3, progress(0.6))));
    expect(state.live.get('a')).toEqual({ node_id: '', title: '', plan });
  });
});

test('a job that begins has no place in the queue any more', () => {
  const queue = { ahead: 0, length: 1, backend: '', reason: 'WAIT_REASON_TURN' as const };
  const begins = { state_changed: { from: 'JOB_STATE_QUEUED', to: 'JOB_STATE_RUNNING', reason: '' } } as const;
  expect(fold(knowing(job('a', { queue })), happened(event('a', 2, begins))).jobs.get('a')?.queue).toBeUndefined();
});

describe('order', () => {
  const place = (ahead: number) => ({
    queue: { ahead, length: 3, backend: '', reason: 'WAIT_REASON_TURN' as const },
  });
  const three = knowing(
    job('c', place(2)),
    job('a', place(0)),
    job('b', place(1)),
    job('r', { state: 'JOB_STATE_RUNNING' }),
  );
  const order = (state: QueueState) => waiting(state.jobs).map(({ job_id }) => job_id);

  test('of what waits is the order of the queue', () => {
    expect(order(three)).toEqual(['a', 'b', 'c']);
    expect(running(three.jobs).map(({ job_id }) => job_id)).toEqual(['r']);
  });

  test.each([
    ['c', '', ['c', 'a', 'b']],
    ['a', 'c', ['b', 'c', 'a']],
    ['a', 'b', ['b', 'a', 'c']],
    ['r', 'a', ['a', 'b', 'c']],
  ])('is shown at once when %s is moved after "%s"', (job_id, after, expected) => {
    expect(order(fold(three, { kind: 'moved', job_id, after }))).toEqual(expected);
  });

  test('of ended ones is the newest first', () => {
    const done = (id: string, day: string) => job(id, { state: 'JOB_STATE_SUCCEEDED', create_time: `2026-01-0${day}` });
    const state = knowing(done('old', '1'), done('new', '2'));
    expect(ended(state.jobs).map(({ job_id }) => job_id)).toEqual(['new', 'old']);
  });
});

describe('wishes', () => {
  test('are known until they are granted or refused, and a refusal until the next wish', () => {
    const wished = fold(knowing(job('a')), { kind: 'wished', job_id: 'a', wish: 'cancel' });
    expect(wished.wishes.get('a')).toBe('cancel');
    const refused = fold(wished, { kind: 'refused', job_id: 'a', reason: 'no' });
    expect([refused.wishes.size, refused.refusals.get('a')]).toEqual([0, 'no']);
    const again = fold(refused, { kind: 'wished', job_id: 'a', wish: 'pause' });
    expect(again.refusals.size).toBe(0);
    expect(fold(again, { kind: 'granted', job_id: 'a' }).wishes.size).toBe(0);
    const completed = { job: job('a', { state: 'JOB_STATE_CANCELLED', sequence: '2' }) };
    expect(fold(wished, happened(event('a', 2, { completed }))).wishes.size).toBe(0);
  });
});

test('the oldest ended jobs are forgotten where there are too many, and no others', () => {
  const many = Array.from({ length: MAX_ENDED + 1 }, (_, index) => job(`e${index}`, { state: 'JOB_STATE_FAILED' }));
  const state = knowing(job('waiting'), ...many);
  expect(state.jobs.size).toBeLessThanOrEqual(MAX_ENDED + 1);
  expect([state.jobs.has('waiting'), state.jobs.has('e0'), state.jobs.has(`e${MAX_ENDED}`)]).toEqual([
    true,
    false,
    true,
  ]);
});
