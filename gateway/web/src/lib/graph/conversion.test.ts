import { describe, expect, it } from 'vitest';
import { linkOf, linksOf } from './content';
import { NO_DEFINITIONS } from './definitions';
import { drawNode, usedOutputs } from './drawing';
import { parseJson, type Value } from './json';
import { arranged, sizesOf } from './layout';
import { readContent } from './reading';
import { definitions, holding, recording, recordings } from './recorded';
import { writeGraph, writeUi } from './writing';

interface Drawn {
  id: number;
  type: string;
  pos: number[];
  inputs: { name: string; link: number | null; widget?: { name: string } }[];
  outputs: { links: number[] | null }[];
  widgets_values: unknown;
  properties: Record<string, string>;
}
interface Saved {
  nodes: Drawn[];
  links: [number, number, number, number, number, string][];
  last_node_id: number;
  groups: { title: string }[];
}

const saved = (content: Parameters<typeof writeUi>[0], known = definitions) =>
  parseJson(writeUi(content, known)) as unknown as Saved;

describe.each(recordings.map((each) => [each.name, each] as const))('the graph of %s', (_, { ui, api }) => {
  it('is value for value the same when it was drawn and written again', () => {
    const content = readContent(holding(api, ui), definitions);
    expect(parseJson(writeGraph(content))).toEqual(api);
  });

  it('is drawn with all its values and links, also where nobody knows its classes', () => {
    for (const known of [definitions, NO_DEFINITIONS]) {
      const { nodes } = readContent(holding(api, ui), known);
      const used = usedOutputs(nodes);
      for (const node of Object.values(nodes)) {
        const drawn = drawNode(node, known, used.get(node.id) ?? 0);
        const shown = Object.fromEntries(drawn.inputs.map(({ name, link, value }) => [name, link ?? value]));
        for (const [name, value] of Object.entries(node.inputs)) expect(shown[name]).toEqual(linkOf(value) ?? value);
        expect(drawn.outputs.length).toBeGreaterThanOrEqual(used.get(node.id) ?? 0);
      }
    }
  });

  it('is written for ComfyUI with links whose ends know each other', () => {
    const content = readContent(holding(api, ui), definitions);
    const { nodes, links } = saved(content);
    expect(links).toHaveLength([...linksOf(content.nodes)].filter((link) => link.source in content.nodes).length);
    for (const [id, source, slot, target, place] of links) {
      expect(nodes.find((node) => node.id === source)?.outputs[slot]?.links).toContain(id);
      expect(nodes.find((node) => node.id === target)?.inputs[place]?.link).toBe(id);
    }
  });

  it('keeps its places when it was written for ComfyUI', () => {
    const content = readContent(holding(api, ui), definitions);
    const again = readContent(holding(api, parseJson(writeUi(content, definitions))), definitions);
    const places = ({ nodes }: typeof content) => Object.values(nodes).map(({ id, x, y }) => ({ id, x, y }));
    expect(places(again)).toEqual(places(content));
    expect(again.notes.map(({ text }) => text)).toEqual(content.notes.map(({ text }) => text));
  });

  it('is arranged without two nodes in one place', () => {
    const content = readContent(holding(api), definitions);
    const sizes = sizesOf(content.nodes, definitions);
    const nodes = Object.values(arranged(content, sizes).nodes);
    const overlap = nodes.filter((a) =>
      nodes.some((b) => {
        const [of, other] = [sizes.get(a.id), sizes.get(b.id)];
        if (a === b || !of || !other) return false;
        return a.x < b.x + other.width && b.x < a.x + of.width && a.y < b.y + other.height && b.y < a.y + of.height;
      }),
    );
    expect(overlap).toEqual([]);
  });
});

describe('a graph for ComfyUI', () => {
  const graph: Value = {
    '3': {
      class_type: 'KSampler',
      inputs: {
        ...{ seed: 18446744073709551615n, steps: 20, cfg: 8, sampler_name: 'euler', scheduler: 'normal', denoise: 1 },
        ...{ model: ['4', 0], positive: ['6', 0], negative: ['6', 0], latent_image: ['9:1', 0] },
      },
    },
    '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'a.safetensors' } },
    '6': { class_type: 'CLIPTextEncode', inputs: { text: 'a fox', clip: ['4', 1] }, _meta: { title: 'Text' } },
    '9:1': { class_type: 'EmptyLatentImage', inputs: { width: 512, height: 512, batch_size: 1 } },
    x: { class_type: 'Unheard', inputs: { strength: 2, image: ['4', 7] }, is_changed: [1] },
  };

  it('has the values of fields in the order of the class, with what comes after a seed', () => {
    const { nodes } = saved(readContent(holding(graph), definitions));
    const sampler = nodes.find((node) => node.id === 3);
    expect(sampler?.widgets_values).toEqual([18446744073709551615n, 'fixed', 20, 8, 'euler', 'normal', 1]);
  });

  it('has numbers for ids, and tells which they were', () => {
    const { nodes, last_node_id } = saved(readContent(holding(graph), definitions));
    expect(nodes.map((node) => node.id).sort()).toEqual([3, 4, 6, 7, 8]);
    expect(
      nodes
        .map((node) => node.properties.imagegen_id)
        .filter(Boolean)
        .sort(),
    ).toEqual(['9:1', 'x']);
    expect(last_node_id).toBe(8);
  });

  it('has the values of a class that nobody knows by name', () => {
    const { nodes } = saved(readContent(holding(graph), definitions));
    expect(nodes.find((node) => node.type === 'Unheard')?.widgets_values).toEqual({ strength: 2 });
  });

  it('says of a linked field that it is one', () => {
    const linked = {
      ...(graph as object),
      '7': { class_type: 'CLIPTextEncode', inputs: { text: ['x', 0], clip: ['4', 1] } },
    };
    const { nodes } = saved(readContent(holding(linked as Value), definitions));
    expect(nodes.find((node) => node.id === 7)?.inputs.map(({ name, widget }) => [name, widget?.name])).toEqual([
      ['clip', undefined],
      ['text', 'text'],
    ]);
  });
});

it('a node lies where ComfyUI has it: its title is above its place, and texts fill the height that it was given', () => {
  const graph = { '6': { class_type: 'CLIPTextEncode', inputs: { text: 'a fox', clip: ['4', 1] } } };
  const ui = { nodes: [{ id: 6, type: 'CLIPTextEncode', pos: [10, 50], size: [420, 300] }] };
  const content = readContent(holding(graph, ui), definitions);
  expect(content.nodes['6']).toMatchObject({ x: 10, y: 20, width: 420, height: 300 });
  expect(sizesOf(content.nodes, definitions).get('6')).toEqual({ width: 420, height: 330 });
  expect(saved(content).nodes[0]).toMatchObject({ pos: [10, 50], size: [420, 300] });
});

it('a graph is as it was when its UI format cannot be read', () => {
  const { api } = recording('example_image_to_image');
  const content = readContent({ ...holding(api), ui_json: '{"nodes": 3, "groups": [4' }, definitions);
  expect(parseJson(writeGraph(content))).toEqual(api);
});

it('nodes may be called as what all objects have', () => {
  const links = { a: ['constructor', 0], b: ['__proto__', 0] };
  const graph = JSON.parse('{"__proto__": {"class_type": "A", "inputs": {}}}') as Record<string, Value>;
  const odd = { ...graph, constructor: { class_type: 'A', inputs: {} }, valueOf: { class_type: 'A', inputs: links } };
  expect(Object.keys(readContent(holding(odd), definitions).nodes)).toHaveLength(3);
});

it('groups hold together what was in them when nodes are arranged', () => {
  const { api } = recording('example_image_to_image');
  const opened = readContent(holding(api), definitions);
  const sizes = sizesOf(opened.nodes, definitions);
  const loader = Object.values(opened.nodes).find((node) => node.class_type === 'CheckpointLoaderSimple');
  if (!loader) throw new Error('the recording has no loader');
  const around = { id: 'group 0', title: 'Models', x: loader.x - 20, y: loader.y - 60, width: 400, height: 400 };
  const { groups, nodes } = arranged({ ...opened, groups: [around] }, sizes);
  const moved = nodes[loader.id];
  expect(moved && groups[0] && moved.x - groups[0].x).toBe(24);
  expect(moved && groups[0] && moved.y - groups[0].y).toBe(56);
});
