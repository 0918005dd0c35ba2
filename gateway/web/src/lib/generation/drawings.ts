/** Masks that were drawn and not uploaded yet: a value of the form names one, and its pixels stay in this tab. */
import { upload } from '$lib/api/call';
import type { Json } from '$lib/api/contract';

const PREFIX = 'drawn:';

/** Gives the pixels when they are needed. */
export type Drawing = () => Promise<Blob>;

const drawings = new Map<string, Drawing>();
const uploaded = new Map<string, string>();
let next = 1;

/** Keeps a drawing; gives the value that names it. */
export function keepDrawing(drawing: Drawing): string {
  const value = `${PREFIX}${next++}`;
  drawings.set(value, drawing);
  return value;
}

/** Whether a value names a drawing instead of a stored picture. */
export function isDrawn(value: Json | undefined): value is string {
  return typeof value === 'string' && value.startsWith(PREFIX);
}

/** Inputs with uploaded pictures in place of drawings; a drawing is uploaded once. Throws as `upload`. */
export async function settled(inputs: Readonly<Record<string, Json>>): Promise<Record<string, Json>> {
  const all = Object.entries(inputs).map(async ([name, value]): Promise<[string, Json]> => {
    return [name, isDrawn(value) ? await digestOf(value) : value];
  });
  return Object.fromEntries(await Promise.all(all));
}

async function digestOf(value: string): Promise<string> {
  const known = uploaded.get(value);
  if (known) return known;
  const drawing = drawings.get(value);
  if (!drawing) return ''; // of an earlier visit: the server asks for one
  const { digest } = await upload(await drawing());
  uploaded.set(value, digest);
  return digest;
}
