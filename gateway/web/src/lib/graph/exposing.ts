/** How a value of a node becomes an input of the workflow: its name, its type, and what it is called. Pure. */
import type { ModelType, WorkflowInput, WorkflowInputType } from '$lib/api/contract';
import { exposedAt, linksOf, type Content } from './content';
import { drawInputs, type DrawnInput } from './drawing';
import type { Definitions } from './definitions';

/** Names that mean the same everywhere, by the names that core nodes have for it. */
const WELL_KNOWN: Readonly<Record<string, string>> = {
  cfg: 'cfg_scale',
  batch_size: 'count',
  ckpt_name: 'model',
  unet_name: 'model',
  noise_seed: 'seed',
  sampler_name: 'sampler',
  lora_name: 'lora',
  vae_name: 'vae',
  clip_name: 'text_encoder',
  control_net_name: 'controlnet',
};
const TITLES: Readonly<Record<string, string>> = {
  cfg_scale: 'CFG scale',
  lora: 'LoRA',
  vae: 'VAE',
  controlnet: 'ControlNet',
};
/** Names whose type is given: what has another type must be called otherwise. */
const TYPES: Readonly<Record<string, readonly WorkflowInputType[]>> = {
  prompt: ['WORKFLOW_INPUT_TYPE_STRING', 'WORKFLOW_INPUT_TYPE_TEXT'],
  negative_prompt: ['WORKFLOW_INPUT_TYPE_STRING', 'WORKFLOW_INPUT_TYPE_TEXT'],
  model: ['WORKFLOW_INPUT_TYPE_MODEL', 'WORKFLOW_INPUT_TYPE_CHOICE'],
  width: ['WORKFLOW_INPUT_TYPE_INT'],
  height: ['WORKFLOW_INPUT_TYPE_INT'],
  steps: ['WORKFLOW_INPUT_TYPE_INT'],
  count: ['WORKFLOW_INPUT_TYPE_INT'],
  cfg_scale: ['WORKFLOW_INPUT_TYPE_FLOAT'],
  denoise: ['WORKFLOW_INPUT_TYPE_FLOAT'],
  sampler: ['WORKFLOW_INPUT_TYPE_CHOICE'],
  scheduler: ['WORKFLOW_INPUT_TYPE_CHOICE'],
  seed: ['WORKFLOW_INPUT_TYPE_SEED'],
  init_image: ['WORKFLOW_INPUT_TYPE_IMAGE'],
  mask: ['WORKFLOW_INPUT_TYPE_MASK'],
  loras: ['WORKFLOW_INPUT_TYPE_LORAS'],
};
const MODEL_LISTS: readonly (readonly [RegExp, RegExp, ModelType])[] = [
  [/^ckpt_name$/, /./, 'MODEL_TYPE_CHECKPOINT'],
  [/^unet_name$/, /./, 'MODEL_TYPE_DIFFUSION_MODEL'],
  [/^vae_name$/, /./, 'MODEL_TYPE_VAE'],
  [/^lora_name$/, /./, 'MODEL_TYPE_LORA'],
  [/^clip_name\d*$/, /CLIPVision/, 'MODEL_TYPE_CLIP_VISION'],
  [/^clip_name\d*$/, /./, 'MODEL_TYPE_TEXT_ENCODER'],
  [/^control_net_name$/, /./, 'MODEL_TYPE_CONTROLNET'],
  [/^model_name$/, /Upscale/, 'MODEL_TYPE_UPSCALER'],
];
const NAME_CHARS = 64;

/** The input that a click on a value makes of it; undefined: there is no such value, or it cannot be set. */
export function exposureOf(
  content: Content,
  definitions: Definitions,
  node_id: string,
  input: string,
): WorkflowInput | undefined {
  const node = content.nodes[node_id];
  if (!node) return undefined;
  const drawn = drawInputs(node, definitions.find(node.class_type)).find((each) => each.name === input);
  if (!drawn || !isExposable(drawn)) return undefined;
  const model_type = modelType(node.class_type, input);
  const type = typeOf(node.class_type, drawn, model_type);
  const name = freeName(nameFor(content, node_id, drawn, type), content.inputs);
  return {
    name,
    type,
    targets: [{ node_id, input }],
    required: type === 'WORKFLOW_INPUT_TYPE_IMAGE' || type === 'WORKFLOW_INPUT_TYPE_MASK',
    choices: [],
    model_type: type === 'WORKFLOW_INPUT_TYPE_MODEL' ? model_type : 'MODEL_TYPE_UNSPECIFIED',
    title: titleFor(name),
    help: '',
    group: '',
  };
}

/** Whether a value can be made an input: what is linked has none, and lists have no type. */
export function isExposable(drawn: DrawnInput): boolean {
  return !drawn.link && drawn.widget !== undefined && drawn.widget !== 'other';
}

/** The name of the workflow's input that sets a value; empty: none does. */
export function exposedName(content: Content, node_id: string, input: string): string {
  const found = exposedAt(content.inputs, node_id, input);
  return found ? found.title || found.name : '';
}

function typeOf(classType: string, { kind, widget, name }: DrawnInput, model: ModelType): WorkflowInputType {
  if (kind?.upload === 'image')
    return isMaskLoader(classType) ? 'WORKFLOW_INPUT_TYPE_MASK' : 'WORKFLOW_INPUT_TYPE_IMAGE';
  switch (widget) {
    case 'seed':
      return 'WORKFLOW_INPUT_TYPE_SEED';
    case 'whole':
      return name === 'seed' ? 'WORKFLOW_INPUT_TYPE_SEED' : 'WORKFLOW_INPUT_TYPE_INT';
    case 'number':
      return 'WORKFLOW_INPUT_TYPE_FLOAT';
    case 'switch':
      return 'WORKFLOW_INPUT_TYPE_BOOL';
    case 'text':
      return 'WORKFLOW_INPUT_TYPE_TEXT';
    case 'choice':
      return model === 'MODEL_TYPE_UNSPECIFIED' ? 'WORKFLOW_INPUT_TYPE_CHOICE' : 'WORKFLOW_INPUT_TYPE_MODEL';
    default:
      return 'WORKFLOW_INPUT_TYPE_STRING';
  }
}

function isMaskLoader(classType: string): boolean {
  return classType === 'LoadImageMask';
}

function modelType(classType: string, input: string): ModelType {
  const list = MODEL_LISTS.find(([name, loader]) => name.test(input) && loader.test(classType));
  return list?.[2] ?? 'MODEL_TYPE_UNSPECIFIED';
}

/** One that chats and forms know where it means that; else what the node calls it. */
function nameFor(content: Content, node_id: string, drawn: DrawnInput, type: WorkflowInputType): string {
  const own = plain(drawn.name);
  const meant =
    type === 'WORKFLOW_INPUT_TYPE_IMAGE'
      ? 'init_image'
      : type === 'WORKFLOW_INPUT_TYPE_MASK'
        ? 'mask'
        : type === 'WORKFLOW_INPUT_TYPE_TEXT'
          ? (promptName(content, node_id) ?? own)
          : (WELL_KNOWN[drawn.name] ?? own);
  return (TYPES[meant] ?? [type]).includes(type) ? meant : `${own}_value`.slice(0, NAME_CHARS);
}

/** By the input that the text reaches over any number of nodes; undefined: neither of both. */
function promptName(content: Content, node_id: string): string | undefined {
  const links = [...linksOf(content.nodes)];
  const seen = new Set<string>();
  let reached = [node_id];
  let isConditioning = false;
  while (reached.length) {
    const onward = links.filter((link) => reached.includes(link.source));
    if (onward.some((link) => link.input.includes('positive'))) return 'prompt';
    if (onward.some((link) => link.input.includes('negative'))) return 'negative_prompt';
    isConditioning ||= onward.some((link) => link.input === 'conditioning');
    reached.forEach((id) => seen.add(id));
    reached = onward.map((link) => link.target).filter((id) => !seen.has(id));
  }
  return isConditioning ? 'prompt' : undefined; // a guider that takes one text only
}

function plain(name: string): string {
  const letters = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^[^a-z]+|_+$/g, '');
  return letters.slice(0, NAME_CHARS) || 'value';
}

function freeName(name: string, inputs: readonly WorkflowInput[]): string {
  const taken = new Set(inputs.map((each) => each.name));
  let [candidate, number] = [name, 1];
  while (taken.has(candidate)) candidate = `${name.slice(0, NAME_CHARS - 4)}_${++number}`;
  return candidate;
}

/** Empty where the server makes a good one of the name. */
function titleFor(name: string): string {
  return TITLES[name] ?? '';
}
