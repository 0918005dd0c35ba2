/** What can be chosen for an input, and where it is. Pure. */
import type { Json, Model, ModelType } from '$lib/api/contract';
import { own } from '$lib/own';
import { readStack, type InputField, type Values, type FormSchema } from './schema';

/** A choice. */
export interface Offer {
  name: string;
  description: string;
  /** Names of the backends that have it; empty: not known. */
  backends: readonly string[];
  /** Those of them where it is loaded now. */
  resident: readonly string[];
  type: ModelType;
}

/** The types of models that the lists of a schema's `x-model-type` hold. */
const TYPES: Readonly<Record<string, readonly ModelType[]>> = {
  checkpoints: ['MODEL_TYPE_CHECKPOINT', 'MODEL_TYPE_DIFFUSION_MODEL'],
  diffusion_models: ['MODEL_TYPE_DIFFUSION_MODEL'],
  vaes: ['MODEL_TYPE_VAE'],
  loras: ['MODEL_TYPE_LORA'],
  embeddings: ['MODEL_TYPE_EMBEDDING'],
  upscalers: ['MODEL_TYPE_UPSCALER'],
  text_encoders: ['MODEL_TYPE_TEXT_ENCODER'],
  controlnets: ['MODEL_TYPE_CONTROLNET'],
  clip_visions: ['MODEL_TYPE_CLIP_VISION'],
};
/** Names that mean the same in every workflow. */
const TYPES_BY_NAME: Readonly<Record<string, readonly ModelType[]>> = {
  sampler: ['MODEL_TYPE_SAMPLER'],
  scheduler: ['MODEL_TYPE_SCHEDULER'],
};

/** What a field allows at these backends; at any: []. What nobody lists is offered where the workflow allows it. */
export function offersOf(field: InputField, models: readonly Model[], places: readonly string[]): Offer[] {
  const types = TYPES[field.modelType] ?? own(TYPES_BY_NAME, field.name) ?? [];
  const known = new Map(
    models.filter(({ type }) => types.includes(type)).map((model): [string, Model] => [model.name, model]),
  );
  return field.choices
    .map((name) => toOffer(name, known.get(name), types[0] ?? 'MODEL_TYPE_UNSPECIFIED'))
    .filter(({ backends }) => backends.length === 0 || isAmong(backends, places));
}

function isAmong(backends: readonly string[], places: readonly string[]): boolean {
  return places.length === 0 || backends.some((name) => places.includes(name));
}

/** Where what is chosen beside a model has to be: at the chosen backend, or at those that have the model; any: []. */
export function placesFor(field: InputField, values: Values, models: readonly Model[], backend: string): string[] {
  if (backend) return [backend];
  if (isMainModel(field)) return [];
  const chosen = models.find(({ name, type }) => name === values.model && TYPES.checkpoints?.includes(type));
  return chosen?.backends ?? [];
}

/** Whether the field decides which model paints: what else there is to choose follows it. */
export function isMainModel({ name, modelType }: InputField): boolean {
  return name === 'model' && modelType === 'checkpoints';
}

function toOffer(name: string, model: Model | undefined, type: ModelType): Offer {
  if (!model) return { name, description: '', backends: [], resident: [], type };
  const { description, backends, resident_backends: resident } = model;
  return { name, description, backends, resident, type: model.type };
}

/** The inputs whose values a backend has not. */
export function unfitAt(backend: string, schema: FormSchema, values: Values, models: readonly Model[]): string[] {
  return schema.fields
    .filter((field) =>
      namesIn(field, own(values, field.name)).some((name) => isElsewhere(name, field, models, backend)),
    )
    .map(({ name }) => name);
}

function isElsewhere(name: string, field: InputField, models: readonly Model[], backend: string): boolean {
  const offered = (...places: string[]) => offersOf(field, models, places).some((offer) => offer.name === name);
  return Boolean(backend) && offered() && !offered(backend); // what nobody offers is the server's to judge
}

function namesIn({ kind }: InputField, value: Json | undefined): string[] {
  if (kind === 'loras') return readStack(value).map(({ name }) => name);
  return (kind === 'model' || kind === 'choice') && typeof value === 'string' ? [value] : [];
}

/** The model that a backend takes where nobody names one: what is loaded there, or else its first checkpoint. */
export function modelTakenAt(backend: string, schema: FormSchema, models: readonly Model[]): string | undefined {
  const field = schema.fields.find(isMainModel);
  const there = field && backend ? offersOf(field, models, [backend]) : [];
  const loaded = there.find(({ resident }) => resident.includes(backend));
  return (loaded ?? there.find(({ type }) => type === 'MODEL_TYPE_CHECKPOINT'))?.name;
}

/** A file's name as people say it: without its folder and its ending. */
export function shortName(name: string): string {
  const file = name.split(/[\\/]/).at(-1) ?? name;
  return file.replace(/\.(safetensors|ckpt|gguf|pth|pt|bin|sft)$/i, '') || name;
}
