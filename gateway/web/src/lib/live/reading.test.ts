import { afterEach, expect, it, vi } from 'vitest';
import type { Job } from '$lib/api/contract';
import { readUnsure } from './reading';
import { queue } from './stores.svelte';

const { signal } = new AbortController();
/** What was asked for, and how many times. */
let asked: string[] = [];

function job(job_id: string, sequence: number): Job {
  return { job_id, state: 'JOB_STATE_QUEUED', sequence: String(sequence), outputs: [], attempts: [] } as unknown as Job;
}

/** Events of these jobs were missed; the server answers as it is told. */
function unsure(ids: string[], answer: (path: string) => Response) {
  asked = [];
  vi.stubGlobal('fetch', async (path: string) => {
    asked.push(path.split('?')[0] ?? '');
    return answer(path);
  });
  const events = ids.map((job_id) => ({ job_id, sequence: '3', attempt: 1, resume_token: '', warning: {} }) as never);
  queue.send({ kind: 'happened', events, at: 0 });
}

afterEach(() => {
  queue.send({ kind: 'signed_out' });
  vi.useRealTimers();
});

it('what is unsure is read, and what is no more is forgotten', async () => {
  queue.send({ kind: 'answered', jobs: [job('a', 1), job('b', 1)], at: 0 });
  unsure(['a', 'b'], (path) =>
    path.endsWith('/a') ? new Response(JSON.stringify({ job: job('a', 3) })) : new Response('{}', { status: 404 }),
  );
  await readUnsure(signal);
  expect([...queue.state.jobs.values()].map(({ job_id, sequence }) => job_id + sequence)).toEqual(['a3']);
  expect(queue.state.unsure.size).toBe(0);
});

it('many are read as a list', async () => {
  const ids = Array.from({ length: 30 }, (_, index) => `job-${index}`);
  const page = { jobs: ids.map((id) => job(id, 3)), next_page_token: '' };
  unsure(ids, () => new Response(JSON.stringify(page)));
  await readUnsure(signal);
  expect([asked, queue.state.unsure.size]).toEqual([['/api/v1/jobs'], 0]);
});

it('a server that says no is left alone for a while', async () => {
  vi.useFakeTimers();
  unsure(['a'], () => new Response('{}', { status: 500 }));
  await readUnsure(signal);
  await readUnsure(signal);
  expect(asked).toHaveLength(1);
  vi.advanceTimersByTime(3000);
  await readUnsure(signal);
  expect(asked).toHaveLength(2);
});
