import { describe, expect, it } from 'vitest';
import type { WorkflowInput } from '$lib/api/contract';
import { differences, isSame, type Comparable } from './differences';

const LOADER = { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'a' }, _meta: { title: 'Load' } };
const SAMPLER = { class_type: 'KSampler', inputs: { steps: 20, model: ['4', 0] } };

function input(name: string, part: Partial<WorkflowInput> = {}): WorkflowInput {
  return {
    name,
    type: 'WORKFLOW_INPUT_TYPE_INT',
    targets: [{ node_id: '3', input: name }],
    required: false,
    choices: [],
    model_type: 'MODEL_TYPE_UNSPECIFIED',
    title: '',
    help: '',
    group: '',
    ...part,
  };
}

function workflow(part: Partial<Comparable> & { graph?: unknown } = {}): Comparable {
  const { graph = { 3: SAMPLER, 4: LOADER }, ...rest } = part;
  const base = { title: 'Portrait', description: '', labels: {}, inputs: [input('steps'), input('cfg')] };
  return { ...base, graph_json: JSON.stringify(graph), ...rest };
}

const NOTHING = { about: [], nodes: part(), inputs: part(), isReordered: false };

function part() {
  return { added: [] as unknown[], removed: [] as unknown[], changed: [] as unknown[] };
}

describe('differences', () => {
  it('finds none between a revision and itself, however it is written', () => {
    const other = { ...workflow(), graph_json: JSON.stringify({ 4: LOADER, 3: SAMPLER }, null, 2) };
    expect(differences(workflow(), other)).toEqual(NOTHING);
    expect(isSame(differences(workflow(), other))).toBe(true);
  });

  it.each<[string, Comparable, object]>([
    ['a title', workflow({ title: 'Head' }), { about: [{ name: 'title', before: 'Portrait', after: 'Head' }] }],
    [
      'a value',
      workflow({ graph: { 3: { ...SAMPLER, inputs: { ...SAMPLER.inputs, steps: 30 } }, 4: LOADER } }),
      {
        nodes: {
          ...part(),
          changed: [{ id: '3', title: 'KSampler (3)', changes: [{ name: 'steps', before: '20', after: '30' }] }],
        },
      },
    ],
    [
      'a link that became a value',
      workflow({ graph: { 3: { ...SAMPLER, inputs: { steps: 20, model: 'x' } }, 4: LOADER } }),
      {
        nodes: {
          ...part(),
          changed: [
            { id: '3', title: 'KSampler (3)', changes: [{ name: 'model', before: 'Load (4) [0]', after: 'x' }] },
          ],
        },
      },
    ],
    [
      'a node more, and one less',
      workflow({ graph: { 3: { ...SAMPLER, inputs: { steps: 20 } }, 5: LOADER } }),
      {
        nodes: {
          added: [{ id: '5', title: 'Load (5)' }],
          removed: [{ id: '4', title: 'Load (4)' }],
          changed: [
            { id: '3', title: 'KSampler (3)', changes: [{ name: 'model', before: 'Load (4) [0]', after: undefined }] },
          ],
        },
      },
    ],
    [
      'an input more, one less, and one that allows less',
      workflow({ inputs: [input('steps', { maximum: 50, title: 'Steps' }), input('seed')] }),
      {
        inputs: {
          added: [{ id: 'seed', title: 'seed' }],
          removed: [{ id: 'cfg', title: 'cfg' }],
          changed: [
            {
              id: 'steps',
              title: 'Steps',
              changes: [
                { name: 'title', before: undefined, after: 'Steps' },
                { name: 'maximum', before: undefined, after: '50' },
              ],
            },
          ],
        },
      },
    ],
    ['another order', workflow({ inputs: [input('cfg'), input('steps')] }), { isReordered: true }],
  ])('finds %s', (_, after, expected) => {
    const found = differences(workflow(), after);
    expect(found).toEqual({ ...NOTHING, ...expected });
    expect(isSame(found)).toBe(false);
  });

  it('tells seeds apart that are one number in JavaScript', () => {
    const seeded = (seed: string) => ({
      ...workflow(),
      graph_json: `{"3": {"class_type": "K", "inputs": {"seed": ${seed}}}}`,
    });
    const found = differences(seeded('18446744073709551615'), seeded('18446744073709551614'));
    expect(found.nodes.changed).toMatchObject([
      { changes: [{ before: '18446744073709551615', after: '18446744073709551614' }] },
    ]);
  });

  it('takes what is no graph for one without nodes', () => {
    expect(differences({ ...workflow(), graph_json: '[' }, workflow()).nodes.added).toHaveLength(2);
  });
});
