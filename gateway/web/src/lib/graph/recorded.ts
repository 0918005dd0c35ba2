/** For tests: graphs and node classes as a real ComfyUI and its page wrote them. */
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Workflow } from '$lib/api/contract';
import { readDefinitions } from './definitions';
import { parseJson, writeJson, type Value } from './json';

const FOLDER = resolve(process.cwd(), '../../tests/recordings/comfyui');
/** No graphs, or of another kind. */
const OTHERS = new Set(['classes.json', 'README.md']);

export interface Recorded {
  name: string;
  /** As the page saved it. */
  ui: Value;
  /** What the page made of it. */
  api: Record<string, Value>;
}

export const definitions = readDefinitions(read('object_info.json'));

export const recordings: readonly Recorded[] = readdirSync(`${FOLDER}/ui_graphs`)
  .filter((file) => !OTHERS.has(file))
  .map((file) => {
    const { workflow, output } = parseJson(read(`ui_graphs/${file}`)) as Record<string, Value>;
    return { name: file.replace('.json', ''), ui: workflow ?? null, api: output as Record<string, Value> };
  });

export function recording(name: string): Recorded {
  const found = recordings.find((each) => each.name === name);
  if (!found) throw new Error(`there is no recording ${name}`);
  return found;
}

/** A workflow that holds a graph. */
export function holding(graph: Value, ui: Value = null): Workflow {
  return {
    ...{
      workflow_id: 'test',
      revision: 1,
      title: 'Test',
      description: '',
      labels: {},
      inputs: [],
      base: '',
      owner: '',
    },
    ...{ built_in: false, input_schema_json: '', graph_json: writeJson(graph), ui_json: ui ? writeJson(ui) : '' },
  };
}

function read(path: string): string {
  return readFileSync(`${FOLDER}/${path}`, 'utf8');
}
