import { describe, expect, it } from 'vitest';
import type { Output } from '$lib/api/contract';
import { fold, initial } from '$lib/state/workflow';
import { canConnect, fitsEnd, freeIds, linkTo, newNode, sourcesFor } from './connecting';
import { linksOf } from './content';
import { partOf, placed, readPart, writePart } from './copying';
import { readDefinitions, type NodeClass } from './definitions';
import { drawInputs } from './drawing';
import { exposureOf } from './exposing';
import { readContent, readNode } from './reading';
import { definitions, holding, recording } from './recorded';
import { runView } from './run';
import { findClasses, findNodes } from './searching';
import { fits } from './sockets';

const content = readContent(holding(recording('example_image_to_image').api), definitions);
const nodeOf = (classType: string) =>
  Object.values(content.nodes).find((node) => node.class_type === classType) ?? expect.fail(classType);
const classOf = (name: string): NodeClass => definitions.find(name) ?? expect.fail(name);

describe('types', () => {
  it.each([
    ['MODEL', 'MODEL', true],
    ['MODEL', 'CLIP', false],
    ['*', 'CLIP', true],
    ['IMAGE', 'IMAGE,MASK', true],
    ['INT', 'INT, FLOAT', true],
    ['STRING', 'COMBO', true],
    ['INT', 'COMBO', false],
    ['LATENT', 'COMFY_MATCHTYPE_V3', true],
  ])('%s into %s: %s', (given, taken, expected) => expect(fits(given, taken)).toBe(expected));
});

describe('connections', () => {
  const [loader, sampler, decoder] = ['CheckpointLoaderSimple', 'KSampler', 'VAEDecode'].map(nodeOf) as [
    ReturnType<typeof nodeOf>,
    ReturnType<typeof nodeOf>,
    ReturnType<typeof nodeOf>,
  ];

  it.each([
    ['of one type are made', loader, 0, sampler, 'model', true],
    ['of another type are not', loader, 1, sampler, 'model', false],
    ['in a circle are not', sampler, 0, sampler, 'latent_image', false],
  ])('%s', (_, source, slot, target, input, expected) => {
    expect(canConnect(content, definitions, { source: source.id, slot, target: target.id, input })).toBe(expected);
  });

  it('are offered from nodes that do not wait for this one', () => {
    const sources = sourcesFor(content, definitions, sampler.id, 'latent_image').map(({ source }) => source);
    expect(sources).toEqual([nodeOf('VAEEncode').id]);
  });

  it('are made with a node that is added where one is dropped', () => {
    const end = { node_id: decoder.id, slot: 0 };
    const saver = classOf('PreviewImage');
    expect(fitsEnd(saver, content, definitions, end)).toBe(true);
    expect(fitsEnd(classOf('KSampler'), content, definitions, end)).toBe(false);
    const node = newNode(saver, '99', { x: 0, y: 0 });
    const link = { source: decoder.id, slot: 0, target: '99', input: 'images' };
    expect(linkTo(node, saver, content, definitions, end)).toEqual(link);
  });

  it('are made from the first output that fits', () => {
    const vae = newNode(classOf('VAELoader'), '99', { x: 0, y: 0 });
    const end = { node_id: decoder.id, input: 'vae' };
    const link = { source: '99', slot: 0, target: decoder.id, input: 'vae' };
    expect(linkTo(vae, classOf('VAELoader'), content, definitions, end)).toEqual(link);
  });
});

describe('a new node', () => {
  it('has the values that its class begins with', () => {
    const { inputs } = newNode(classOf('KSampler'), '1', { x: 0, y: 0 });
    expect(inputs).toMatchObject({ seed: 0, steps: 20, cfg: 8, sampler_name: 'euler', denoise: 1 });
    expect(inputs).not.toHaveProperty('model');
  });

  it('has an id that is free', () => {
    expect(freeIds({ ...content.nodes, '40:2': nodeOf('KSampler') }, 2)).toEqual(['41', '42']);
  });
});

describe('inputs that are made as they are needed', () => {
  const known = readDefinitions(
    JSON.stringify({
      Batch: {
        input: {
          required: {
            images: [
              'COMFY_AUTOGROW_V3',
              { template: { input: { required: { image: ['IMAGE', {}] } }, prefix: 'image', max: 3 } },
            ],
            mode: [
              'COMFY_DYNAMICCOMBO_V3',
              {
                options: [
                  { key: 'crop', inputs: { required: { width: ['INT', { default: 8 }] } } },
                  { key: 'none', inputs: {} },
                ],
              },
            ],
          },
        },
        output: ['IMAGE'],
      },
    }),
  );
  const drawn = (inputs: Record<string, string | [string, number]>) =>
    drawInputs(readNode('1', { class_type: 'Batch', inputs }), known.find('Batch')).map(
      ({ name, type }) => `${name} ${type}`,
    );

  it('are there, and one more', () => {
    expect(drawn({ 'images.image0': ['2', 0], mode: 'none' })).toEqual([
      ...['images.image0 IMAGE', 'images.image1 IMAGE', 'mode COMFY_DYNAMICCOMBO_V3'],
    ]);
  });

  it('are those of what is chosen', () => {
    expect(drawn({ mode: 'crop' })).toContain('mode.width INT');
    expect(newNode(known.find('Batch') ?? expect.fail(), '1', { x: 0, y: 0 }).inputs).toEqual({
      mode: 'crop',
      'mode.width': 8,
    });
  });
});

describe('a value becomes an input', () => {
  it.each([
    ['KSampler', 'seed', 'seed', 'WORKFLOW_INPUT_TYPE_SEED'],
    ['KSampler', 'steps', 'steps', 'WORKFLOW_INPUT_TYPE_INT'],
    ['KSampler', 'cfg', 'cfg_scale', 'WORKFLOW_INPUT_TYPE_FLOAT'],
    ['KSampler', 'sampler_name', 'sampler', 'WORKFLOW_INPUT_TYPE_CHOICE'],
    ['CheckpointLoaderSimple', 'ckpt_name', 'model', 'WORKFLOW_INPUT_TYPE_MODEL'],
    ['LoadImage', 'image', 'init_image', 'WORKFLOW_INPUT_TYPE_IMAGE'],
    ['SaveImage', 'filename_prefix', 'filename_prefix', 'WORKFLOW_INPUT_TYPE_STRING'],
  ])('%s %s: %s', (classType, input, name, type) => {
    expect(exposureOf(content, definitions, nodeOf(classType).id, input)).toMatchObject({ name, type });
  });

  it('is called prompt or negative prompt by where the text goes', () => {
    const texts = Object.values(content.nodes).filter((node) => node.class_type === 'CLIPTextEncode');
    const names = texts.map(({ id }) => exposureOf(content, definitions, id, 'text')?.name);
    expect(names.sort()).toEqual(['negative_prompt', 'prompt']);
  });

  it('has a name that no other one has', () => {
    const first = exposureOf(content, definitions, nodeOf('KSampler').id, 'seed') ?? expect.fail();
    const more = { ...content, inputs: [first] };
    expect(exposureOf(more, definitions, nodeOf('KSampler').id, 'seed')?.name).toBe('seed_2');
  });

  it('does not where it is a link', () => {
    expect(exposureOf(content, definitions, nodeOf('KSampler').id, 'model')).toBeUndefined();
  });
});

describe('copies', () => {
  const all = partOf(content, new Set(Object.keys(content.nodes)));

  it('come back from the clipboard as they were', () => {
    expect(readPart(writePart(all))).toEqual(all);
  });

  it('have ids of their own, and links among themselves', () => {
    const copy = placed(all, content);
    const both = fold({ ...initial, content }, { kind: 'added', ...copy }).content;
    expect(Object.keys(both.nodes)).toHaveLength(2 * all.nodes.length);
    const ids = new Set(copy.nodes.map((node) => node.id));
    for (const { source, target } of linksOf(both.nodes)) expect(ids.has(source)).toBe(ids.has(target));
  });

  it('of one node keep the links to nodes that are there', () => {
    const [sampler] = placed({ nodes: [nodeOf('KSampler')], notes: [] }, content).nodes;
    expect(sampler?.inputs.model).toEqual(nodeOf('KSampler').inputs.model);
  });

  it('are also made of a graph in API format, and of nothing else', () => {
    expect(readPart('{"1": {"class_type": "VAELoader", "inputs": {}}}')?.nodes).toHaveLength(1);
    for (const text of ['hello', '{"a": 1}', '{', '{}', '[1]']) expect(readPart(text)).toBeUndefined();
  });
});

describe('search', () => {
  it('finds classes by what people call them, best first', () => {
    expect(findClasses(definitions, 'load check', () => true)[0]?.name).toBe('CheckpointLoaderSimple');
    expect(findClasses(definitions, 'ksampler', () => true)[0]?.name).toBe('KSampler');
    expect(findClasses(definitions, 'ksampler', () => false)).toEqual([]);
  });

  it('finds nodes by title, class, and what they hold', () => {
    const [held] = Object.values(nodeOf('CheckpointLoaderSimple').inputs);
    expect(findNodes(content, definitions, String(held)).map(({ id }) => id)).toEqual([
      nodeOf('CheckpointLoaderSimple').id,
    ]);
    expect(findNodes(content, definitions, 'nowhere at all')).toEqual([]);
  });
});

describe('a run', () => {
  const nodes = ['1', '2', '3'].map((node_id) => ({ node_id, class_type: 'X', title: 'X', cached: node_id === '1' }));
  const plan = { nodes, images: 1 };

  it('shows the node at work, and ticks those before it', () => {
    const view = runView('JOB_STATE_RUNNING', plan, { node_id: '3', step: 5, steps: 20 });
    expect(view).toMatchObject({ isRunning: true, at: '3', fraction: 0.25 });
    expect([...view.done, ...view.cached]).toEqual(['1', '2', '1']);
  });

  it('ticks all at its end, and none of a job that waits', () => {
    expect(runView('JOB_STATE_SUCCEEDED', plan, undefined).done.size).toBe(3);
    expect(runView('JOB_STATE_QUEUED', plan, undefined).done.size).toBe(0);
  });

  it('says where it failed', () => {
    const view = runView('JOB_STATE_FAILED', plan, { node_id: '2', step: 0, steps: 0 }, undefined, '2');
    expect(view).toMatchObject({ isRunning: false, at: '', failed: '2' });
  });

  it('shows the last picture of each node', () => {
    const made = (node_id: string, digest: string) => ({ node_id, asset: { digest } }) as Output;
    const outputs = [made('2', 'aa'), made('3', 'bb'), made('3', 'cc')];
    const { pictures } = runView('JOB_STATE_RUNNING', plan, undefined, undefined, '', outputs);
    expect([...pictures]).toEqual([
      ['2', '/api/v1/assets/aa?w=512'],
      ['3', '/api/v1/assets/cc?w=512'],
    ]);
  });
});
