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

/** A server with two revisions of a graph and no node definitions; somebody stores the third before we do. */
function shared() {
  const graph = {
    workflow_id: 'ours',
    base: '',
    graph_json: '{"1": {"class_type": "A", "inputs": {}}}',
    ui_json: '{"x": 1}',
  };
  const of = (revision: number) => ({ ...graph, title: `revision ${revision}`, revision, inputs: [], labels: {} });
  const sent: Record<string, unknown>[] = [];
  let newest = 2;
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    if (path.includes('definitions')) return new Response('{}', { status: 503 });
    if (init.method !== 'PATCH') {
      const asked = Number(new URL(path, 'http://gateway').searchParams.get('revision'));
      return new Response(JSON.stringify({ workflow: of(asked || newest) }));
    }
    sent.push(JSON.parse(String(init.body)));
    if (sent.length === 1) newest = 3;
    if (sent.at(-1)?.expected_revision === newest) return new Response(JSON.stringify({ workflow: of(++newest) }));
    return new Response(JSON.stringify({ reason: 'CHANGED_MEANWHILE', detail: 'it was changed' }), { status: 409 });
  });
  return sent;
}

it('what somebody else stored is shown against the draft, which can be stored all the same', async () => {
  const sent = shared();
  const editing = new Editing('ours', 0);
  await editing.open();
  editing.store.send({ kind: 'titled', title: 'mine' });
  expect(await editing.save()).toBe(false);
  expect([editing.theirs?.revision, editing.errors, editing.isDirty]).toEqual([3, {}, true]);
  expect(await editing.keepMine()).toBe(true);
  expect([editing.theirs, editing.isDirty, sent.map((each) => each.expected_revision)]).toEqual([
    undefined,
    false,
    [2, 3],
  ]);
  expect(sent.every((each) => 'graph_json' in each && !('ui_json' in each))).toBe(true); // places are kept where nobody knows the nodes
});

it('an old revision is only looked at, and what waits in the editor of the newest stays there', async () => {
  shared();
  const [newest, old] = [new Editing('ours', 0), new Editing('ours', 1)];
  await Promise.all([newest.open(), old.open()]);
  newest.store.send({ kind: 'titled', title: 'mine' });
  keepDraft(newest);
  keepDraft(old);
  expect([old.isReadonly, newest.isReadonly, draftOf('ours')]).toEqual([true, false, newest]);
  newest.discard();
  keepDraft(newest);
});

it('of two questions to the backends the answer to the last counts', async () => {
  shared();
  const editing = new Editing('ours', 0);
  await editing.open();
  const answers: ((backend: string) => void)[] = [];
  vi.stubGlobal('fetch', () => {
    const answer = new Promise<string>((resolve) => answers.push(resolve));
    return answer.then((backend) => new Response(JSON.stringify({ verdicts: [{ backend }] })));
  });
  const asked = [editing.judge(), editing.judge()];
  answers[1]?.('new');
  await asked[1];
  answers[0]?.('old');
  await asked[0];
  expect(editing.verdicts).toEqual([{ backend: 'new' }]);
});
