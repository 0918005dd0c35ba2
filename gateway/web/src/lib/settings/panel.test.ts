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
