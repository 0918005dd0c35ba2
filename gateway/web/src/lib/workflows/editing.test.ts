// @vitest-environment jsdom
import { expect, it, vi } from 'vitest';
import { draftOf, keepDraft } from './drafts';
import { Editing } from './editing.svelte';

/** A server that keeps the title of one style, and the revisions that it was told to change. */
function server() {
  const workflow = { workflow_id: 'mine', title: 'one', base: '', revision: 1, inputs: [], labels: {} };
  const expected: number[] = [];
  vi.stubGlobal('fetch', async (_path: string, init: RequestInit) => {
    if (init.method === 'PATCH') {
      const { title, expected_revision } = JSON.parse(String(init.body));
      expected.push(expected_revision);
      Object.assign(workflow, { title, revision: workflow.revision + 1 });
    }
    return new Response(JSON.stringify({ workflow }));
  });
  return { workflow, expected };
}

it('what is changed while it is stored is stored after it, and nothing twice', async () => {
  const { workflow, expected } = server();
  const editing = new Editing('mine', 0);
  await editing.open();
  editing.store.send({ kind: 'titled', title: 'two' });
  const first = editing.save();
  const again = editing.save(); // a second press of Ctrl+S
  expect(await first).toBe(true);
  editing.store.send({ kind: 'titled', title: 'three' });
  expect(await Promise.all([again, editing.save()])).toEqual([true, true]);
  expect(expected).toEqual([1, 2]);
  expect([editing.theirs, editing.isDirty, workflow.title]).toEqual([undefined, false, 'three']);
});

it('an editor that is left while it is stored has nothing more to keep', async () => {
  server();
  const editing = new Editing('mine', 0);
  await editing.open();
  editing.store.send({ kind: 'titled', title: 'two' });
  const stored = editing.save();
  keepDraft(editing);
  expect(draftOf('mine')).toBe(editing);
  await stored;
  expect(draftOf('mine')).toBeUndefined();
  expect(dispatchEvent(new Event('beforeunload', { cancelable: true }))).toBe(true);
});
