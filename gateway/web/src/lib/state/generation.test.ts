import { describe, expect, it } from 'vitest';
import { inputsToSend, readSchema } from '$lib/generation/schema';
import { linkTo, parseLink, type Draft } from './draft';
import { currentValues, draftToShare, fold, initial, type GenerationEvent, type GenerationState } from './generation';
import { recalled, remembered } from './generation_memory';

const draft = (part: Partial<Draft>): Draft => ({
  workflow_id: 'inpaint',
  inputs: {},
  backend: '',
  priority: 0,
  ...part,
});
const set = (name: string, value: never | unknown): GenerationEvent => ({
  kind: 'value_set',
  name,
  value: value as never,
});
const after = (...events: GenerationEvent[]): GenerationState =>
  events.reduce(fold, { ...initial, workflowId: 'text-to-image' });
const REFUSED: GenerationEvent = {
  kind: 'refused',
  errors: { steps: 'must be from 1 to 500, not 900', 'loras[0].name': "no such LoRA 'x'" },
  problem: { kind: 'refused', message: '' },
};

describe('what is entered', () => {
  it('is kept for each workflow', () => {
    const there = after(
      set('prompt', 'a fox'),
      { kind: 'workflow_chosen', workflowId: 'inpaint' },
      set('prompt', 'a hat'),
    );
    expect(currentValues(there)).toEqual({ prompt: 'a hat' });
    expect(currentValues(fold(there, { kind: 'workflow_chosen', workflowId: 'text-to-image' }))).toEqual({
      prompt: 'a fox',
    });
  });

  it('is left to the server again by no value', () => {
    expect(currentValues(after(set('steps', 4), set('steps', undefined)))).toEqual({});
  });

  it('loses what another backend has not, says so, and gets it back', () => {
    const chosen: GenerationEvent = { kind: 'backend_chosen', backend: 'big', unfit: ['model'] };
    const state = after(set('model', 'x'), set('steps', 4), chosen);
    expect(currentValues(state)).toEqual({ steps: 4 });
    expect(state.notice).toMatchObject({ kind: 'reset', names: ['model'] });
    const back = fold(state, { kind: 'notice_undone' });
    expect(currentValues(back)).toEqual({ model: 'x', steps: 4 });
    expect(back.backend).toBe('');
  });

  it('is replaced by a link, and comes back as it was', () => {
    const before = after(set('prompt', 'mine'), { kind: 'priority_set', priority: 3 });
    const state = fold(before, { kind: 'filled', draft: draft({ inputs: { prompt: 'theirs' } }), from: 'link' });
    expect([state.workflowId, currentValues(state), state.priority]).toEqual(['inpaint', { prompt: 'theirs' }, 0]);
    const back = fold(state, { kind: 'notice_undone' });
    expect([back.workflowId, currentValues(back), back.priority]).toEqual(['text-to-image', { prompt: 'mine' }, 3]);
  });

  it('of a link without a workflow is meant for the default one', () => {
    const early: GenerationEvent = {
      kind: 'filled',
      draft: draft({ workflow_id: '', inputs: { steps: 4 } }),
      from: 'link',
    };
    const state = fold(fold(initial, early), { kind: 'workflow_chosen', workflowId: 'inpaint' });
    expect(state.values).toEqual({ inpaint: { steps: 4 } });
    expect(state.notice?.kind).toBe('filled');
  });

  it('keeps to the range of priorities', () => {
    expect(after({ kind: 'priority_set', priority: 99 }).priority).toBe(10);
  });
});

describe('errors', () => {
  it('go when their input is changed, those within it too', () => {
    expect(Object.keys(fold(after(REFUSED), set('loras', [])).errors)).toEqual(['steps']);
    expect(Object.keys(fold(after(REFUSED), set('steps', 5)).errors)).toEqual(['loras[0].name']);
  });

  it('are told while somebody writes only of what was touched', () => {
    const judged: GenerationEvent = { kind: 'judged', errors: { init_image: 'is required', steps: 'too many' } };
    expect(after(set('steps', 900), judged).errors).toEqual({ steps: 'too many' });
    expect(after(REFUSED, judged).errors).toEqual({ steps: 'too many' });
  });

  it('of the backend are told at once, whatever was touched', () => {
    const judged: GenerationEvent = { kind: 'judged', errors: { 'spec.backend': 'is drained' } };
    expect(after(judged).errors).toEqual({ 'spec.backend': 'is drained' });
  });

  it('stay when the same workflow is chosen again, and go with what they were about', () => {
    const filled: GenerationEvent = { kind: 'filled', draft: draft({}), from: 'link' };
    expect(after(REFUSED, { kind: 'workflow_chosen', workflowId: 'text-to-image' })).toEqual(after(REFUSED));
    expect(after(filled, REFUSED, { kind: 'notice_undone' })).toMatchObject({ errors: {}, problem: undefined });
  });

  it('go with what was foreseen without any', () => {
    expect(
      after(REFUSED, { kind: 'foreseen', foreseen: { defaults: { steps: 20 }, ahead: 2, backend: '' } }).errors,
    ).toEqual({});
  });

  it('go with an outage, and stay where a refusal was meant', () => {
    const foreseen: GenerationEvent = { kind: 'foreseen', foreseen: { defaults: {}, ahead: 0, backend: '' } };
    const refused = (kind: 'offline' | 'busy' | 'refused') =>
      after({ kind: 'refused', errors: {}, problem: { kind, message: 'no' } }, foreseen).problem?.kind;
    expect([refused('offline'), refused('busy'), refused('refused')]).toEqual([undefined, 'busy', 'refused']);
  });

  it('leave the defaults, but not the place in the queue', () => {
    const state = after(
      { kind: 'foreseen', foreseen: { defaults: { steps: 20 }, ahead: 2, startsIn: 4, backend: 'big' } },
      {
        kind: 'judged',
        errors: {},
      },
    );
    expect(state.foreseen).toEqual({ defaults: { steps: 20 }, ahead: 0, backend: 'big' });
  });
});

describe('asking', () => {
  const accepted = (jobId: string): GenerationEvent => ({
    kind: 'accepted',
    jobId,
    workflowId: 'text-to-image',
    seed: '18446744073709551615',
  });

  it('may be done again before the answer', () => {
    expect(after({ kind: 'asked' }, { kind: 'asked' }, accepted('a')).sending).toBe(1);
  });

  it('shows the newest, and remembers its seed', () => {
    const state = after({ kind: 'asked' }, accepted('a'), { kind: 'asked' }, accepted('b'));
    expect([state.shown, state.jobs]).toEqual(['b', ['b', 'a']]);
    expect(state.lastSeeds).toEqual({ 'text-to-image': '18446744073709551615' });
    const seedless = fold(state, { kind: 'accepted', jobId: 'c', workflowId: 'text-to-image', seed: '' });
    expect(seedless.lastSeeds).toEqual(state.lastSeeds);
  });

  it('again takes away what was wrong before', () => {
    const state = after({ kind: 'asked' }, REFUSED, { kind: 'asked' });
    expect([state.problem, state.sending]).toEqual([undefined, 1]);
  });
});

describe('what is remembered', () => {
  const VALUES = {
    prompt: 'json:{"a": 1} & (ä:1.2)\nline',
    steps: 0,
    tiled: false,
    seed: '18446744073709551615',
    loras: [{ name: 'a/b', weight: 0.5, off: true }],
  };
  const state: GenerationState = { ...after(), values: { 'text-to-image': VALUES }, backend: 'big', priority: -2 };

  it('comes back from a link as it was', () => {
    const query = new URLSearchParams(linkTo(draftToShare(state)).split('?')[1]);
    expect(parseLink(query)).toEqual(draftToShare(state));
  });

  it('comes back from the browser as it was', () => {
    const back = recalled(JSON.parse(JSON.stringify(remembered(state))));
    expect(back?.entered).toEqual({ workflowId: state.workflowId, values: state.values, backend: 'big', priority: -2 });
  });

  it('has what was drawn where the drawing was kept, and a link never', () => {
    const drawn = fold(state, set('mask', 'drawn:1'));
    const back = (isThere: boolean) => recalled(remembered(drawn), (value) => isThere || value !== 'drawn:1');
    expect(back(true)?.entered.values['text-to-image']).toEqual({ ...VALUES, mask: 'drawn:1' });
    expect(back(false)?.entered.values['text-to-image']).toEqual(VALUES);
    expect(draftToShare(drawn).inputs).toEqual(VALUES);
  });

  it.each([undefined, null, 7, 'x', [], { version: 0 }])('is nothing of %j', (memory) => {
    expect(recalled(memory)).toBeUndefined();
  });

  it('takes what it can of what somebody changed', () => {
    const odd = { version: 1, workflowId: 4, values: { a: { prompt: 'x' }, b: 3 }, priority: 'high', lastSeeds: [] };
    expect(recalled(odd)?.entered).toEqual({
      workflowId: '',
      values: { a: { prompt: 'x' } },
      backend: '',
      priority: 0,
    });
  });

  it('survives a schema that changed', () => {
    const schema = readSchema(
      JSON.stringify({
        properties: {
          prompt: { 'x-type': 'text' },
          steps: { 'x-type': 'bool' },
          loras: { 'x-type': 'loras' },
          seed: { 'x-type': 'seed' },
        },
      }),
    );
    expect(inputsToSend(schema, VALUES)).toEqual({ prompt: VALUES.prompt, loras: [], seed: VALUES.seed });
    expect(inputsToSend(schema, { seed: 'lucky' })).toEqual({ seed: 'lucky' }); // for the server to refuse
  });
});
