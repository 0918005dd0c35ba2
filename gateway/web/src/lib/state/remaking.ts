/** What was asked for once, as a draft to ask for it again. Pure. */
import type { ImageParameters, JobSpec, Json } from '$lib/api/contract';
import type { Draft } from './draft';

/** The draft that asks for the same; undefined: a graph that is no stored workflow, for which there is no form. */
export function draftOf(spec: JobSpec): Draft | undefined {
  const rest = { backend: spec.backend, priority: spec.priority ?? 0 };
  if (spec.workflow) return { workflow_id: spec.workflow.workflow_id, inputs: spec.workflow.inputs ?? {}, ...rest };
  if (spec.image) return { workflow_id: workflowOf(spec.image), inputs: inputsOf(spec.image), ...rest };
  return undefined;
}

/** The same draft, but that its pictures will be others. */
export function withNewSeed(draft: Draft): Draft {
  const { seed: _, ...inputs } = draft.inputs;
  return { ...draft, inputs };
}

function workflowOf(image: ImageParameters): string {
  if (image.mask) return 'inpaint';
  return image.init_image ? 'image-to-image' : 'text-to-image';
}

/** Parameters as inputs of the built-in workflows; what was left open is left out. */
export function inputsOf(image: ImageParameters): Record<string, Json> {
  const { hires, text_encoders, ...same } = image;
  const inputs: Record<string, Json | undefined> = { ...same, loras: same.loras as unknown as Json };
  for (const [name, value] of Object.entries(hires ?? {})) inputs[`hires_${name}`] = value;
  text_encoders?.forEach((name, index) => (inputs[index ? `text_encoder_${index + 1}` : 'text_encoder'] = name));
  const set = Object.entries(inputs).filter((entry): entry is [string, Json] => isSet(...entry));
  return Object.fromEntries(set);
}

/** Zero is a value only where the contract tells it from unset. */
const ZERO_IS_UNSET = new Set(['width', 'height', 'count', 'batch_size']);

function isSet(name: string, value: Json | undefined): boolean {
  if (value === undefined || value === null || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  return value !== 0 || !ZERO_IS_UNSET.has(name);
}
