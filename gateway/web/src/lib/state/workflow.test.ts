import { describe, expect, it } from 'vitest';
import type { WorkflowInput } from '$lib/api/contract';
import { newNode } from '$lib/graph/connecting';
import { linksOf, type Content } from '$lib/graph/content';
import { readContent } from '$lib/graph/reading';
import { definitions, holding, recording } from '$lib/graph/recorded';
import { exposureOf } from '$lib/graph/exposing';
import { fold, initial, isDirty, type WorkflowEvent, type WorkflowState } from './workflow';

const { api, ui } = recording('example_image_to_image');
const content = readContent(holding(api, ui), definitions);
const opened = fold(initial, { kind: 'opened', workflow_id: 'fox', revision: 3, content });
const idOf = (classType: string) =>
  Object.values(content.nodes).find((node) => node.class_type === classType)?.id ?? 'none';
const [sampler, loader, decoder] = ['KSampler', 'CheckpointLoaderSimple', 'VAEDecode'].map(idOf) as [
  string,
  string,
  string,
];
const after = (...events: WorkflowEvent[]) => events.reduce(fold, opened);
const valuesOf = (state: WorkflowState, id: string) => state.content.nodes[id]?.inputs ?? {};
const set = (value: number): WorkflowEvent => ({ kind: 'value_set', node_id: sampler, input: 'steps', value });

function exposed(node_id: string, input: string, from: Content = content): WorkflowInput {
  const found = exposureOf(from, definitions, node_id, input);
  if (!found) throw new Error(`${input} cannot be exposed`);
  return found;
}

const CHANGES: [string, WorkflowEvent][] = [
  ['a title', { kind: 'titled', title: 'Foxes' }],
  ['a description', { kind: 'described', description: 'of foxes' }],
  ['labels', { kind: 'labelled', labels: { a: 'b' } }],
  ['places', { kind: 'moved', places: { [sampler]: { x: 7, y: 8 } } }],
  ['a width', { kind: 'resized', id: sampler, width: 400 }],
  ['a value', set(11)],
  ['a title of a node', { kind: 'retitled', id: sampler, title: 'First pass' }],
  ['a colour', { kind: 'coloured', ids: [sampler], color: '#112233' }],
  ['a link', { kind: 'connected', source: loader, slot: 2, target: decoder, input: 'samples' }],
  ['a link to a value', { kind: 'connected', source: loader, slot: 2, target: sampler, input: 'steps' }],
  ['a link less', { kind: 'disconnected', node_id: sampler, input: 'model' }],
  ['nodes less', { kind: 'removed', ids: [loader, sampler] }],
  ['an input', { kind: 'exposed', input: exposed(sampler, 'steps') }],
  ['all', { kind: 'replaced', content: initial.content }],
];

describe.each(CHANGES)('a change of %s', (_, event) => {
  const changed = after(event);

  it('is one step, can be undone and done again', () => {
    expect(changed.past).toEqual([content]);
    expect(isDirty(changed)).toBe(true);
    const undone = fold(changed, { kind: 'undone' });
    expect(undone.content).toBe(content);
    expect(isDirty(undone)).toBe(false);
    expect(fold(undone, { kind: 'redone' }).content).toBe(changed.content);
  });

  it('leaves what it does not change as it is', () => {
    expect(opened.content).toBe(content);
    const others = Object.keys(changed.content.nodes).filter((id) => ![sampler, loader, decoder].includes(id));
    const untouched = others.filter((id) => changed.content.nodes[id] === content.nodes[id]);
    if (event.kind !== 'removed') expect(untouched).toEqual(others);
  });

  it('leads nowhere: every link begins at a node, and every input ends at one', () => {
    for (const { source } of linksOf(changed.content.nodes)) expect(changed.content.nodes).toHaveProperty(source);
    const targets = changed.content.inputs.flatMap((input) => input.targets);
    for (const { node_id } of targets) expect(changed.content.nodes).toHaveProperty(node_id);
  });
});

describe('steps', () => {
  it('typing in one field is one of them', () => {
    const state = after(set(2), set(25), set(250));
    expect(state.past).toHaveLength(1);
    expect(fold(state, { kind: 'undone' }).content).toBe(content);
  });

  it('typing in it later is another one', () => {
    expect(after(set(2), { kind: 'settled' }, set(25)).past).toHaveLength(2);
    expect(after(set(2), { kind: 'selected', ids: [sampler] }, set(25)).past).toHaveLength(2);
  });

  it('typing on after it was stored can be undone to what is stored', () => {
    const typed = after(set(2));
    const stored = fold(typed, { kind: 'saved', workflow_id: 'fox', revision: 4, content: typed.content });
    expect(isDirty(stored)).toBe(false);
    const more = fold(stored, set(25));
    expect(isDirty(more)).toBe(true);
    expect(isDirty(fold(more, { kind: 'undone' }))).toBe(false);
  });

  it('are no more than two hundred', () => {
    const many = Array.from({ length: 300 }, (_, x): WorkflowEvent => ({
      kind: 'moved',
      places: { [sampler]: { x, y: 0 } },
    }));
    expect(after(...many).past).toHaveLength(200);
  });

  it('what was undone is forgotten when something else is changed', () => {
    expect(after(set(2), { kind: 'undone' }, { kind: 'titled', title: 'x' }).future).toEqual([]);
  });

  it('nothing happens where nothing is changed', () => {
    const same = set(Number(valuesOf(opened, sampler).steps));
    expect(after(same, { kind: 'undone' }, { kind: 'redone' }, { kind: 'removed', ids: ['nobody'] }).content).toBe(
      content,
    );
    expect(after(same).past).toEqual([]);
  });
});

describe('links', () => {
  it('cover a value, which comes back', () => {
    const linked = after({ kind: 'connected', source: loader, slot: 0, target: sampler, input: 'steps' });
    expect(valuesOf(linked, sampler).steps).toEqual([loader, 0]);
    const free = fold(linked, { kind: 'disconnected', node_id: sampler, input: 'steps' });
    expect(valuesOf(free, sampler)).toEqual(content.nodes[sampler]?.inputs);
  });

  it('are gone with the node that they begin at, and what they covered is there again', () => {
    const linked = after({ kind: 'connected', source: loader, slot: 0, target: sampler, input: 'steps' });
    const free = fold(linked, { kind: 'removed', ids: [loader] });
    expect(valuesOf(free, sampler).steps).toEqual(content.nodes[sampler]?.inputs.steps);
    expect(valuesOf(free, sampler)).not.toHaveProperty('model');
  });

  it('take the place of the input that set the value', () => {
    const state = after(
      { kind: 'exposed', input: exposed(sampler, 'steps') },
      { kind: 'connected', source: loader, slot: 0, target: sampler, input: 'steps' },
    );
    expect(state.content.inputs).toEqual([]);
  });
});

describe('inputs', () => {
  const steps = exposed(sampler, 'steps');
  const cfg = exposed(sampler, 'cfg');
  const both = after({ kind: 'exposed', input: steps }, { kind: 'exposed', input: cfg });
  const names = (state: WorkflowState) => state.content.inputs.map((input) => input.name);

  it.each<[string, WorkflowEvent, string[]]>([
    ['are moved', { kind: 'input_moved', name: 'cfg_scale', to: 0 }, ['cfg_scale', 'steps']],
    ['are renamed', { kind: 'input_changed', name: 'steps', change: { name: 'rounds' } }, ['rounds', 'cfg_scale']],
    ['are taken back', { kind: 'unexposed', name: 'steps' }, ['cfg_scale']],
    ['go with their nodes', { kind: 'removed', ids: [sampler] }, []],
    [
      'give a target to another',
      { kind: 'target_added', name: 'steps', target: { node_id: sampler, input: 'cfg' } },
      ['steps'],
    ],
    [
      'go with their last target',
      { kind: 'target_removed', name: 'steps', target: { node_id: sampler, input: 'steps' } },
      ['cfg_scale'],
    ],
  ])('%s', (_, event, expected) => {
    expect(names(fold(both, event))).toEqual(expected);
  });

  it('lose a limit that is unset', () => {
    const limited = fold(both, { kind: 'input_changed', name: 'steps', change: { maximum: 50 } });
    expect(limited.content.inputs[0]?.maximum).toBe(50);
    const change = { maximum: undefined } as unknown as Partial<WorkflowInput>;
    expect(fold(limited, { kind: 'input_changed', name: 'steps', change }).content.inputs[0]).toEqual(steps);
  });
});

describe('what is selected', () => {
  const node = newNode(definitions.find('KSampler') ?? expect.fail(), '100', { x: 0, y: 0 });

  it('is what was added', () => {
    expect(after({ kind: 'added', nodes: [node] }).selection).toEqual(new Set(['100']));
  });

  it('is never what is gone', () => {
    const state = after({ kind: 'added', nodes: [node] }, { kind: 'selected', ids: ['100', sampler] });
    expect(fold(state, { kind: 'undone' }).selection).toEqual(new Set([sampler]));
  });

  it('is what somebody is to look at, as often as that is said', () => {
    const state = after({ kind: 'shown', id: sampler }, { kind: 'shown', id: sampler });
    expect(state.selection).toEqual(new Set([sampler]));
    expect(state.shown).toEqual({ id: sampler, count: 2 });
  });
});
