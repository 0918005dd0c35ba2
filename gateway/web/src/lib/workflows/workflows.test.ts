// @vitest-environment jsdom
import { describe, expect, it } from 'vitest';
import type { BackendVerdict, Workflow, WorkflowInput, WorkflowProblem } from '$lib/api/contract';
import { asFile, readOurs } from './exporting';
import { defaultsInWords } from './form';
import { switchedOff, withNames, withValue } from './graph_text';
import { errorsByInput, merged, overriding, readDefault } from './inputs';
import { matching } from './library.svelte';
import recorded from './fixtures/imported.json';
import { findingsOf, grouped, nearest, replacementsFor } from './verdicts';

const workflow = recorded.graph.imported.workflow as unknown as Workflow;
const told = recorded.graph.validated.verdicts as unknown as BackendVerdict[];

function problem(code: string, node_id: string, part: Partial<WorkflowProblem> = {}): WorkflowProblem {
  const severity = 'PROBLEM_SEVERITY_ERROR';
  return { severity, code, message: '', node_id, node_title: '', class_type: '', input: '', suggestions: [], ...part };
}

function verdict(backend: string, ...problems: WorkflowProblem[]): BackendVerdict {
  return { backend, runnable: problems.length === 0, problems, unknown: false };
}

describe('verdicts', () => {
  it('tell each problem once, with who has it and what all of them suggest', () => {
    const verdicts = [
      verdict('one', problem('MODEL_MISSING', '4', { suggestions: ['a'] })),
      verdict('two', problem('NO_OUTPUT', ''), problem('MODEL_MISSING', '4', { suggestions: ['a', 'b'] })),
    ];
    expect(findingsOf(verdicts)).toMatchObject([
      { code: 'MODEL_MISSING', backends: ['one', 'two'], suggestions: ['a', 'b'] },
      { code: 'NO_OUTPUT', backends: ['two'] },
    ]);
    expect(grouped(findingsOf(verdicts)).map(({ kind }) => kind)).toEqual(['MODEL_MISSING', 'other']);
  });

  it('put errors before what is only worth knowing', () => {
    const warning = problem('MODEL_MISSING', '1', { severity: 'PROBLEM_SEVERITY_WARNING' });
    expect(findingsOf([verdict('one', warning, problem('CYCLE', '2'))]).map(({ code }) => code)).toEqual([
      'CYCLE',
      'MODEL_MISSING',
    ]);
  });

  it('show at the nodes what is wrong at the backend that comes nearest', () => {
    const bad = problem('CYCLE', '2');
    expect(nearest([verdict('one', bad, problem('CYCLE', '3')), verdict('two', bad)])).toEqual([bad]);
    expect(nearest([verdict('one', bad), verdict('two')])).toEqual([]);
    expect(nearest([])).toEqual([]);
  });

  it('offer other models, but no other kinds of nodes', () => {
    const offered = findingsOf(told).map((finding) => [finding.code, replacementsFor(finding).length > 0]);
    expect(Object.fromEntries(offered)).toEqual({ MODEL_MISSING: true, NODE_CLASS_MISSING: false });
  });
});

describe('inputs', () => {
  const [prompt] = workflow.inputs as [WorkflowInput];

  it.each([
    ['WORKFLOW_INPUT_TYPE_INT', '20', 20],
    ['WORKFLOW_INPUT_TYPE_FLOAT', '0.5', 0.5],
    ['WORKFLOW_INPUT_TYPE_INT', 'many', 'many'],
    ['WORKFLOW_INPUT_TYPE_STRING', '20', '20'],
    ['WORKFLOW_INPUT_TYPE_INT', '', undefined],
  ] as const)('read a default of %s: %j', (type, written, value) => {
    expect(readDefault(type, written)).toBe(value);
  });

  it('keep of a style only what differs from its base', () => {
    const set = overriding([], 'steps', { default_value: 12 });
    expect(set).toMatchObject({ kind: 'exposed', input: { name: 'steps', default_value: 12, targets: [] } });
    const own = set.kind === 'exposed' ? [set.input] : [];
    expect(overriding(own, 'steps', { maximum: 30 })).toMatchObject({ kind: 'input_changed', name: 'steps' });
    const unset = { default_value: undefined } as unknown as Partial<WorkflowInput>;
    expect(overriding(own, 'steps', unset)).toEqual({ kind: 'unexposed', name: 'steps' });
    expect(overriding(own, 'steps', { default_value: '' })).toMatchObject({ kind: 'input_changed' });
  });

  it('show of a style what it says over what its base says', () => {
    const own = { ...prompt, type: 'WORKFLOW_INPUT_TYPE_UNSPECIFIED', help: '', title: 'Who' } as const;
    const base = { ...prompt, title: 'Prompt', help: 'What to show' };
    expect(merged([base], [own])).toEqual([{ ...base, title: 'Who' }]);
    expect(merged([base], [])).toEqual([base]);
  });

  it('have the errors that the server tells by their places', () => {
    const errors = { 'inputs.inputs[1].name': 'is taken', 'inputs.inputs[9].name': 'is lost', '': 'all of it' };
    expect(errorsByInput(errors, workflow.inputs)).toEqual({ model: { name: 'is taken' } });
  });

  it('say what is taken where nobody says otherwise: what the graph holds now', () => {
    const graph_json = withValue(workflow.graph_json, '1', 'ckpt_name', 'there.safetensors');
    const shown = defaultsInWords({ ...workflow, graph_json });
    expect([...shown]).toEqual([
      ['prompt', 'a harbour at dusk'],
      ['model', 'there.safetensors'],
      ['loras', expect.stringContaining('one.safetensors')],
      ['seed', '7'],
    ]);
  });
});

describe('files of ours', () => {
  it('are read as they were written', () => {
    expect(readOurs(asFile(workflow))).toMatchObject({ graph_json: workflow.graph_json, inputs: workflow.inputs });
  });

  it('may be answers of an import, and may leave out what is usual', () => {
    const short = { workflow: { base: 'text-to-image', inputs: [{ name: 'steps', default_value: 12 }] } };
    expect(readOurs(JSON.stringify(short))).toMatchObject({
      base: 'text-to-image',
      title: '',
      inputs: [{ name: 'steps', default_value: 12, targets: [], choices: [] }],
    });
  });

  it.each([
    '',
    'no JSON',
    '[]',
    '{"3": {"class_type": "KSampler", "inputs": {}}}',
    '{"nodes": [], "inputs": []}',
    '{"base": "x", "inputs": [1]}',
  ])('are not: %s', (text) => expect(readOurs(text)).toBeUndefined());
});

it.each([
  ['', 2],
  ['fox', 1],
  ['PICTURE a', 1],
  ['nothing', 0],
])('workflows are found by all words: %j', (text, count) => {
  const fox = { ...workflow, title: 'Fox', description: '' };
  expect(matching([fox, { ...workflow, title: 'A', description: 'of a picture' }], text)).toHaveLength(count);
});

it('nodes that ComfyUI would not run are named', () => {
  const nodes = [
    { type: 'KSampler', mode: 0 },
    { type: 'LoraLoader', mode: 4 },
    { type: 'X', title: 'Second', mode: 2 },
  ];
  expect(switchedOff(JSON.stringify({ nodes }))).toEqual(['LoraLoader', 'Second']);
  expect([...switchedOff(''), ...switchedOff('{"nodes": 3'), ...switchedOff('{"nodes": [7]}')]).toEqual([]);
});

it('what the server says of a graph has the names of its nodes', () => {
  const graph = JSON.stringify({ '9': { class_type: 'SaveImage', inputs: {}, _meta: { title: 'Keep' } } });
  const said = 'spec.graph.json["9"].inputs.images: is missing; spec.graph.json["7:2"]: is no node; too long';
  expect(withNames(said, graph)).toBe('Keep (9), images: is missing; 7:2: is no node; too long');
});
