// @vitest-environment jsdom
import { expect, it, vi } from 'vitest';
import { read, save, settings } from './panel.svelte';

it('believes nothing that was read before a change', async () => {
  let version = 1;
  let onread = async () => {};
  vi.stubGlobal('fetch', async (_path: string, init: RequestInit) => {
    if (init.method === 'PATCH') version += 1;
    const answer = JSON.stringify({ version: String(version), effective: {}, stored: {} });
    if (init.method === 'GET') await onread();
    return new Response(answer);
  });
  await read();
  settings.send({ kind: 'changed', path: 'defaults.steps', value: 7 });
  onread = async () => {
    onread = async () => {};
    expect(await save()).toBe(true); // saved while the answer from before it is on its way
  };
  await read();
  expect(settings.state.version).toBe('2');
  expect(settings.state.draft).toEqual({});
});

it('shows what somebody else has saved meanwhile, and keeps what is being changed', async () => {
  let version = 5;
  vi.stubGlobal('fetch', async (_path: string, init: RequestInit) => {
    const problem = { reason: 'CHANGED_MEANWHILE', detail: 'it was changed' };
    if (init.method === 'PATCH') return new Response(JSON.stringify(problem), { status: 409 });
    return new Response(JSON.stringify({ version: String(version), effective: {}, stored: {} }));
  });
  await read();
  settings.send({ kind: 'changed', path: 'defaults.steps', value: 9 });
  version = 6;
  expect(await save()).toBe(false);
  const { state } = settings;
  expect([state.version, state.wasChangedMeanwhile, state.problem]).toEqual(['6', true, '']);
  expect(state.draft).toEqual({ 'defaults.steps': 9 });
});
