/** How the inputs of a form stand together. Pure. */
import { own } from '$lib/own';
import type { FormSchema, InputField } from './schema';

/** A control: mostly one input, but width and height are one. */
export type Control =
  { kind: 'field'; field: InputField; isWide: boolean } | { kind: 'size'; width: InputField; height: InputField };

export interface Section {
  /** Its heading; empty: the main ones, which have none. */
  title: string;
  controls: Control[];
}

const NARROW = new Set(['choice', 'bool', 'int', 'float']);

/** The sections of a form: the main one, then the groups as they come. The prompt is first, whoever made the workflow. */
export function sectionsOf(schema: FormSchema, without: readonly string[] = []): Section[] {
  const fields = schema.fields.filter(({ name }) => !without.includes(name));
  const prompts = fields.filter(({ name }) => name === 'prompt');
  const ordered = [...prompts, ...fields.filter(({ name }) => name !== 'prompt')];
  const titles = [...new Set(['', ...ordered.map(({ group }) => group)])];
  return titles
    .map((title) => ({ title, controls: controlsOf(ordered.filter(({ group }) => group === title)) }))
    .filter(({ controls }) => controls.length > 0);
}

function controlsOf(fields: readonly InputField[]): Control[] {
  const width = fields.find(({ name, kind }) => name === 'width' && kind === 'int');
  const height = fields.find(({ name, kind }) => name === 'height' && kind === 'int');
  return fields.flatMap((field): Control[] => {
    if (width && height && field === height) return [];
    if (width && height && field === width) return [{ kind: 'size', width, height }];
    return [{ kind: 'field', field, isWide: !NARROW.has(field.kind) }];
  });
}

/** Up to where a slider goes. Beyond it only few want to be, and every place below would be too narrow to hit. */
const COMFORTABLE: Readonly<Record<string, number>> = {
  steps: 60,
  hires_steps: 60,
  cfg_scale: 20,
  distilled_cfg_scale: 20,
};

/** The range of a number's slider; undefined: it has no two ends, or what is allowed beyond is too far away. */
export function sliderRange(field: InputField, value: number): { minimum: number; maximum: number } | undefined {
  const { minimum, maximum } = field;
  if (minimum === undefined || maximum === undefined || maximum - minimum > 1_000_000) return undefined;
  const comfortable = Math.min(own(COMFORTABLE, field.name) ?? maximum, maximum);
  return { minimum, maximum: value > comfortable ? maximum : comfortable };
}
