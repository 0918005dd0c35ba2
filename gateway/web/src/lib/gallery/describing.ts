/** What a picture was made with, line by line. Pure. */
import type { AssetSource, Json } from '$lib/api/contract';

export interface Setting {
  name: string;
  value: string;
  /** Long texts get lines of their own, pictures are shown by their digest. */
  kind: 'short' | 'long' | 'picture';
}

/** These come first, in this order: the rest follows as the workflow has it. */
const FIRST = ['prompt', 'negative_prompt', 'model', 'seed', 'steps', 'cfg_scale', 'sampler', 'scheduler'];
const LONG_CHARS = 60;

/** Every input with its value; what is empty, or always one in a picture's own settings, is left out. */
export function settingsOf(inputs: Record<string, Json>): Setting[] {
  const place = (name: string) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  return Object.entries(inputs)
    .filter(([name, value]) => value !== '' && value !== null && name !== 'count' && name !== 'batch_size')
    .sort(([a], [b]) => place(a) - place(b))
    .map(([name, value]) => setting(name, value));
}

/** What is kept with a picture, for when its job is forgotten, or was a graph without a form. */
export function inputsOfSource({ prompt, model, seed }: AssetSource): Record<string, Json> {
  return { prompt, model, seed: seed ?? '' };
}

function setting(name: string, value: Json): Setting {
  const said = name === 'loras' && Array.isArray(value) ? value.map(lora).join('\n') : written(value);
  if (/^[0-9a-f]{64}$/.test(said)) return { name, value: said, kind: 'picture' };
  const isLong = said.length > LONG_CHARS || said.includes('\n') || name.endsWith('prompt');
  return { name, value: said, kind: isLong ? 'long' : 'short' };
}

function lora(value: Json): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return written(value);
  const weights = [value.weight ?? 1, value.text_encoder_weight].filter((weight) => weight !== undefined);
  return `${written(value.name ?? '')} (${weights.map((weight) => written(weight ?? 1)).join(', ')})`;
}

function written(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** "second_pass" as people write it. */
export function titleOf(name: string, known: Record<string, string>): string {
  const words = name.replaceAll('_', ' ');
  return known[name] ?? words.charAt(0).toUpperCase() + words.slice(1);
}
