/** What a form asks for: the JSON Schema of a workflow's inputs, read once. Pure. */
import type { Json } from '$lib/api/contract';
import { own } from '$lib/own';

export const INPUT_KINDS = [
  'string',
  'text',
  'int',
  'float',
  'bool',
  'choice',
  'model',
  'image',
  'mask',
  'seed',
  'loras',
] as const;
export type InputKind = (typeof INPUT_KINDS)[number];

/** One input. */
export interface InputField {
  name: string;
  title: string;
  /** A sentence of help; empty: none. */
  help: string;
  kind: InputKind;
  /** The heading below which it stands; empty: among the main ones. */
  group: string;
  required: boolean;
  /** The value where none is given, as far as the workflow itself says. */
  fallback?: Json;
  /** Least number, or length of a text. */
  minimum?: number;
  /** Greatest number, length of a text, or count of LoRAs. */
  maximum?: number;
  step?: number;
  /** What it allows, as the backends say now; empty: not known. For LoRAs their names. */
  choices: readonly string[];
  /** The list that names are from, as "checkpoints"; empty: none. */
  modelType: string;
}

export interface FormSchema {
  title: string;
  description: string;
  /** In the order in which to ask. */
  fields: readonly InputField[];
}

/** Values by the name of the input; what is absent is left to the server. */
export type Values = Readonly<Record<string, Json>>;

/** How a value begins that names a mask which was drawn in this browser and is not uploaded yet. */
export const DRAWN = 'drawn:';

/** Whether a value names a drawing instead of a stored picture. */
export function isDrawn(value: Json | undefined): value is string {
  return typeof value === 'string' && value.startsWith(DRAWN);
}

export const NO_FORM: FormSchema = { title: '', description: '', fields: [] };

interface Property {
  title?: string;
  description?: string;
  type?: string | string[];
  default?: Json;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  multipleOf?: number;
  enum?: string[];
  examples?: string[];
  items?: { properties?: { name?: Property } };
  'x-type'?: string;
  'x-group'?: string;
  'x-model-type'?: string;
  'x-step'?: number;
}

/** The form of a schema as the server gives it; an empty one for what is none. */
export function readSchema(json: string): FormSchema {
  if (!json) return NO_FORM;
  const schema = JSON.parse(json) as Property & { properties?: Record<string, Property>; required?: string[] };
  const required = new Set(schema.required);
  return {
    title: schema.title ?? '',
    description: schema.description ?? '',
    fields: Object.entries(schema.properties ?? {}).map(([name, property]) =>
      readField(name, property, required.has(name)),
    ),
  };
}

function readField(name: string, property: Property, required: boolean): InputField {
  const listed = property.items?.properties?.name ?? property;
  const numbers = {
    fallback: property.default,
    minimum: property.minimum ?? property.minLength,
    maximum: property.maximum ?? property.maxLength ?? property.maxItems,
    step: property['x-step'] ?? property.multipleOf,
  };
  return {
    name,
    title: property.title ?? name,
    help: property.description ?? '',
    kind: kindOf(property),
    group: property['x-group'] ?? '',
    required,
    choices: listed.enum ?? listed.examples ?? [],
    modelType: property['x-model-type'] ?? '',
    ...Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined)),
  };
}

/** A kind that a newer server knows is asked for by what its values are. */
function kindOf(property: Property): InputKind {
  const said = INPUT_KINDS.find((kind) => kind === property['x-type']);
  if (said) return said;
  const types = ([] as string[]).concat(property.type ?? []);
  if (types.includes('boolean')) return 'bool';
  if (types.includes('number')) return 'float';
  if (types.includes('integer')) return 'int';
  return property.enum ? 'choice' : 'text';
}

/** What stands in a field: its value, or what the workflow says where none is given. */
export function shownValue(field: InputField, values: Values): Json | undefined {
  return own(values, field.name) ?? field.fallback;
}

/** One of the LoRAs of a stack. What is off stays in the form and is not sent. */
export interface StackedLora {
  name: string;
  weight?: number;
  text_encoder_weight?: number;
  off?: boolean;
}

/** The stack that a value holds; what is none of it is left out. */
export function readStack(value: Json | undefined): StackedLora[] {
  if (!Array.isArray(value)) return [];
  return value.filter(
    (one): one is { name: string } =>
      typeof one === 'object' && one !== null && !Array.isArray(one) && typeof one.name === 'string',
  );
}

/** The values that this form can take: what it has no input for, or what is of another kind, stays away. */
export function fittingValues(schema: FormSchema, values: Values): Values {
  const fitting = schema.fields.flatMap((field): [string, Json][] => {
    const value = own(values, field.name);
    return value !== undefined && isOfKind(field.kind, value) ? [[field.name, value]] : [];
  });
  return Object.fromEntries(fitting);
}

function isOfKind(kind: InputKind, value: Json): boolean {
  switch (kind) {
    case 'int':
    case 'float':
      return typeof value === 'number' || (typeof value === 'string' && value !== '' && !Number.isNaN(Number(value)));
    case 'seed':
      return typeof value === 'number' || typeof value === 'string'; // the server says what is no seed
    case 'bool':
      return typeof value === 'boolean';
    case 'loras':
      return Array.isArray(value);
    default:
      return typeof value === 'string';
  }
}

/** The inputs of an invocation: values that fit, without LoRAs that are off. */
export function inputsToSend(schema: FormSchema, values: Values): Record<string, Json> {
  const inputs: Record<string, Json> = { ...fittingValues(schema, values) };
  for (const { name, kind } of schema.fields) {
    if (kind !== 'loras' || inputs[name] === undefined) continue;
    inputs[name] = readStack(inputs[name])
      .filter(({ off }) => !off)
      .map(({ off: _, ...lora }) => lora as unknown as Json);
  }
  return inputs;
}
