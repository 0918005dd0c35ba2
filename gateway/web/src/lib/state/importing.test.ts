import { describe, expect, it } from 'vitest';
import type { BackendVerdict, ImportWorkflowResponse, Workflow } from '$lib/api/contract';
import recorded from '$lib/workflows/fixtures/imported.json';
import { fold, NOTHING_READ, wanted, type Found, type ImportEvent, type ImportState } from './importing';

const answer = recorded.graph.imported as unknown as ImportWorkflowResponse;
const verdicts = recorded.graph.validated.verdicts as unknown as BackendVerdict[];
const read: ImportEvent = { kind: 'read', source: 'loras.json', answer };

function after(...events: ImportEvent[]): ImportState {
  return events.reduce(fold, NOTHING_READ);
}

function foundAfter(...events: ImportEvent[]): Found {
  const { found } = after(read, ...events);
  if (!found) throw new Error('nothing was found');
  return found;
}

const names = (workflow: Workflow) => workflow.inputs.map(({ name }) => name);
const replaced = (to: string): ImportEvent => ({ kind: 'replaced', node_id: '1', input: 'ckpt_name', to });

describe('a workflow on its way in', () => {
  it('takes the inputs that are more than a guess, in their order', () => {
    expect(names(wanted(foundAfter()))).toEqual(['prompt', 'model', 'loras']);
  });

  it.each([
    ['seed', true, ['prompt', 'model', 'loras', 'seed']],
    ['model', false, ['prompt', 'loras']],
    ['prompt', true, ['prompt', 'model', 'loras']],
  ])('lets somebody choose: %s %s', (name, is_wanted, expected) => {
    expect(names(wanted(foundAfter({ kind: 'chosen', name, is_wanted })))).toEqual(expected);
  });

  it('notes what was lost, and leaves what backends lack to them', () => {
    const a1111 = recorded.a1111.imported as unknown as ImportWorkflowResponse;
    const { found } = after({ kind: 'read', source: 'text', answer: a1111 });
    expect(found?.notes.map(({ code }) => code)).toEqual(['SETTING_LOST', 'SETTING_LOST']);
    expect(foundAfter().notes).toEqual([]);
  });

  it('replaces a value of the graph, and asks anew', () => {
    const found = foundAfter(
      { kind: 'judged', of: answer.workflow as Workflow, verdicts },
      replaced('there.safetensors'),
    );
    expect(found.workflow.graph_json).toContain('"ckpt_name":"there.safetensors"');
    expect(found.replaced).toEqual([{ node_id: '1', input: 'ckpt_name', from: 'sd.safetensors' }]);
    expect(found.verdicts).toBeUndefined();
  });

  it('remembers what was there at first, until it is there again', () => {
    expect(foundAfter(replaced('one'), replaced('two')).replaced[0]?.from).toBe('sd.safetensors');
    expect(foundAfter(replaced('one'), replaced('sd.safetensors')).replaced).toEqual([]);
  });

  it('takes verdicts only on what it holds now', () => {
    const judged: ImportEvent = { kind: 'judged', of: answer.workflow as Workflow, verdicts };
    expect(foundAfter(judged).verdicts).toBe(verdicts);
    expect(foundAfter({ kind: 'described', part: { title: 'Harbour' } }, judged).verdicts).toBe(verdicts);
    expect(foundAfter(replaced('other'), judged).verdicts).toBeUndefined();
  });

  it('keeps what was found when it could not be stored', () => {
    const state = after(read, { kind: 'storing' }, { kind: 'not_stored', errors: { workflow_id: 'is taken' } });
    expect(state).toMatchObject({
      isStoring: false,
      errors: { workflow_id: 'is taken' },
      found: { source: 'loras.json' },
    });
  });

  it.each<[string, ImportEvent]>([
    ['reading', { kind: 'reading', source: 'next.json' }],
    ['refused', { kind: 'refused', refusal: { message: 'is no workflow' } }],
    ['stored', { kind: 'stored', workflow: answer.workflow as Workflow }],
    ['begun_anew', { kind: 'begun_anew' }],
  ])('forgets the one before when %s', (_, event) => {
    expect(after(read, event).found).toBeUndefined();
  });

  it('takes all inputs of a file of ours', () => {
    const { found } = after({ kind: 'read_ours', source: 'mine', workflow: answer.workflow as Workflow });
    expect(names(wanted(found as Found))).toEqual(['prompt', 'model', 'loras', 'seed']);
  });

  it('knows nothing to change where nothing was found', () => {
    expect(fold(NOTHING_READ, replaced('one'))).toBe(NOTHING_READ);
  });
});
