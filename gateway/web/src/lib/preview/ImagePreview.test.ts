// @vitest-environment jsdom
import { render, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Job, JobState, Output } from '$lib/api/contract';
import { queue } from '$lib/live/live.svelte';
import type { IncomingEvent } from '$lib/state/queue';
import ImagePreview from './ImagePreview.svelte';

const asked: string[] = [];

beforeEach(() => {
  HTMLImageElement.prototype.decode = () => Promise.resolve();
  vi.stubGlobal('fetch', async (path: string) => {
    asked.push(path);
    return new Response(JSON.stringify({ title: 'gone' }), { status: 404 });
  });
});
afterEach(() => {
  queue.send({ kind: 'signed_out' });
  asked.length = 0;
  vi.unstubAllGlobals();
});

function output(index: number): Output {
  const asset = { digest: String(index).repeat(64), media_type: 'image/png', width: 768, height: 512 };
  return { index, image_index: index, kind: 'OUTPUT_KIND_FINAL', node_id: '', attempt: 1, seed: '7', asset } as Output;
}

function know(state: JobState, changes: Partial<Job> = {}, image: Record<string, unknown> = {}): void {
  const job = {
    job_id: 'j',
    state,
    sequence: '1',
    spec: { image: { prompt: 'a red fox', width: 768, height: 512, ...image }, backend: '' },
    attempts: [],
    outputs: [],
    warnings: [],
    ...changes,
  } as unknown as Job;
  queue.send({ kind: 'answered', jobs: [job], at: Date.now() });
}

function tell(event: Partial<IncomingEvent>): void {
  const whole = { job_id: 'j', sequence: '1', attempt: 1, resume_token: '', ...event };
  queue.send({ kind: 'happened', events: [whole], at: Date.now() });
}

describe('what is said', () => {
  test('of a job that waits: its place, why, and when it begins', () => {
    const place = { ahead: 2, length: 5, start_eta: '40s', backend: 'demo', reason: 'WAIT_REASON_TURN' as const };
    know('JOB_STATE_QUEUED', { queue: place });
    render(ImagePreview, { jobId: 'j' });
    expect(screen.getByText('Waits for its turn')).toBeInTheDocument();
    expect(screen.getByText('2 jobs ahead · begins in about 40 s · on demo')).toBeInTheDocument();
  });

  test('of a job that runs: its phase, node, step and speed', () => {
    know('JOB_STATE_RUNNING');
    const progress = { fraction: 0.35, phase: 'PHASE_SAMPLING' as const, step: 7, steps: 20, image_index: 0 };
    tell({ progress: { ...progress, node_id: '3', title: 'KSampler', steps_per_second: 0.5 } });
    render(ImagePreview, { jobId: 'j' });
    expect(screen.getByText('Painting: KSampler')).toBeInTheDocument();
    expect(screen.getByText('step 7 of 20 · 2.0 s a step')).toBeInTheDocument();
    expect(screen.getByRole('progressbar', { name: 'Progress' })).toHaveAttribute('value', '0.35');
  });

  test('of a model that is being loaded', () => {
    know('JOB_STATE_RUNNING');
    tell({ model_loading: { model: 'sdxl.safetensors' } });
    render(ImagePreview, { jobId: 'j' });
    expect(screen.getByText('Loading sdxl.safetensors')).toBeInTheDocument();
  });

  test('of an attempt that failed and is tried again', () => {
    const error = { code: 14, message: 'the backend went away', details: [] };
    know('JOB_STATE_QUEUED', {
      attempts: [{ number: 1, backend: 'big', state: 'ATTEMPT_STATE_FAILED', error } as unknown as Job['attempts'][0]],
    });
    render(ImagePreview, { jobId: 'j' });
    expect(
      screen.getByText(/Attempt 1 on big failed: the backend went away\. It is tried again\./),
    ).toBeInTheDocument();
  });

  test('of a job that failed: why, at which node, and a way to try again', () => {
    const plan = { nodes: [{ node_id: '3', class_type: 'KSampler', title: 'My sampler', cached: false }], images: 1 };
    know('JOB_STATE_RUNNING');
    tell({ sequence: '2', plan });
    const details = [{ '@type': 'x', reason: 'NODE_FAILED', metadata: { node_id: '3', node_type: 'KSampler' } }];
    know('JOB_STATE_FAILED', { sequence: '3', error: { code: 13, message: 'out of memory', details } });
    render(ImagePreview, { jobId: 'j' });
    expect(screen.getByRole('alert')).toHaveTextContent('At the node My sampler: out of memory');
    expect(screen.getByRole('button', { name: 'Try again' })).toBeInTheDocument();
  });

  test('of a job that nobody knows any more', async () => {
    render(ImagePreview, { jobId: 'old' });
    expect(await screen.findByText(/no longer known/)).toBeInTheDocument();
    expect(asked).toEqual(['/api/v1/jobs/old']);
  });
});

test('Escape cancels, and the refusal is told', async () => {
  know('JOB_STATE_RUNNING');
  render(ImagePreview, { jobId: 'j' });
  screen.getByRole('region', { name: 'Preview' }).focus();
  await userEvent.keyboard('{Escape}');
  expect(asked[0]).toBe('/api/v1/jobs/j:cancel');
});

test("a batch's pictures come one by one, and keys go from one to the other", async () => {
  know('JOB_STATE_RUNNING', { outputs: [output(0)] }, { count: 2 });
  render(ImagePreview, { jobId: 'j' });
  expect(screen.getByRole('button', { name: 'As it is made' })).toHaveAttribute('aria-pressed', 'true');
  tell({ sequence: '2', output_ready: output(1) });
  know('JOB_STATE_SUCCEEDED', { sequence: '3', outputs: [output(0), output(1)] }, { count: 2 });
  const second = await screen.findByRole('button', { name: 'Picture 2 of 2' });
  screen.getByRole('region', { name: 'Preview' }).focus();
  await userEvent.keyboard('{ArrowRight}{ArrowRight}');
  expect(second).toHaveAttribute('aria-pressed', 'true');
  const link = screen.getByRole('link', { name: 'Edit this' }).getAttribute('href');
  expect(link).toContain(`i.init_image=${'1'.repeat(64)}`);
});

test('a picture that was made from another one is compared with it', async () => {
  know('JOB_STATE_SUCCEEDED', { outputs: [output(0)] }, { init_image: 'f'.repeat(64) });
  render(ImagePreview, { jobId: 'j' });
  await userEvent.click(screen.getByRole('button', { name: 'Compare with the input' }));
  expect(screen.getByRole('slider', { name: 'Before / After' })).toBeInTheDocument();
});

test('of a picture that was deleted only its settings are offered', async () => {
  HTMLImageElement.prototype.decode = () => Promise.reject(new Error('there is none'));
  know('JOB_STATE_SUCCEEDED', { outputs: [output(0)] });
  render(ImagePreview, { jobId: 'j' });
  expect(await screen.findByText('This picture is not there any more.')).toBeInTheDocument();
  expect(screen.queryByRole('link', { name: 'Edit this' })).not.toBeInTheDocument();
  expect(screen.getByRole('link', { name: 'Use these settings' })).toBeInTheDocument();
});
