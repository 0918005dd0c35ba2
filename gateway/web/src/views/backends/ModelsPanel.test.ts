// @vitest-environment jsdom
import { render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Queue } from '$lib/api/contract';
import { system } from '$lib/live/live.svelte';
import ModelsPanel from './ModelsPanel.svelte';

const asked: string[] = [];

beforeEach(() => {
  vi.stubGlobal('fetch', async (path: string) => {
    asked.push(path);
    return new Response(JSON.stringify({ models: [] }));
  });
});
afterEach(() => vi.unstubAllGlobals());

it('reads the list when it is opened and when a list changes, and not with all else that is told', async () => {
  system.send({ kind: 'changed', topic: 'TOPIC_MODELS' }); // before it is opened
  render(ModelsPanel);
  await screen.findByText('No backend has told of a model yet.');
  expect(asked).toHaveLength(1);

  system.send({ kind: 'changed', topic: 'TOPIC_MODELS' });
  await vi.waitFor(() => expect(asked).toHaveLength(2));

  system.send({ kind: 'queue', queue: { paused: true } as Queue });
  system.send({ kind: 'changed', topic: 'TOPIC_JOBS' });
  await new Promise((resolve) => setTimeout(resolve));
  expect(asked).toHaveLength(2);
});
