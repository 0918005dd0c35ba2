/** Masks that were drawn and not uploaded yet: a value of the form names one, and what was painted stays in this browser. */
import { upload } from '$lib/api/call';
import type { Json } from '$lib/api/contract';
import { keep, kept } from '$lib/state/keeping';
import type { Painted } from './mask';
import { maskFile } from './mask_canvas';
import { DRAWN, isDrawn } from './schema';

const KEY = 'imagegen.drawings.1'; // another number when what is kept means something else
const MOST_KEPT = 8;
const MOST_CHARACTERS = 1_000_000; // a browser keeps five million for all of the page

/** What was painted over which picture, at that picture's size. */
export interface Drawing {
  picture: string;
  painted: Painted;
  width: number;
  height: number;
}

/** Those of earlier visits first. */
const drawings = new Map(Object.entries(keptDrawings()));
const uploaded = new Map<string, Promise<string>>();

/** Keeps a drawing; gives the value that names it. */
export function keepDrawing(drawing: Drawing): string {
  const value = `${DRAWN}${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
  drawings.set(value, drawing);
  keepNewest();
  return value;
}

/** As many as there is room for. What another tab has kept meanwhile counts as older. */
function keepNewest(): void {
  const all = Object.entries({ ...keptDrawings(), ...Object.fromEntries(drawings) });
  let room = MOST_CHARACTERS;
  const newestFirst = all.slice(-MOST_KEPT).reverse();
  const fitting = newestFirst.filter(([, drawing]) => {
    const { length } = JSON.stringify(drawing);
    const isFitting = length <= room;
    if (isFitting) room -= length;
    return isFitting;
  });
  keep(KEY, Object.fromEntries(fitting.reverse()));
}

function keptDrawings(): Record<string, Drawing> {
  return kept<Record<string, Drawing>>(KEY) ?? {};
}

/** The drawing that a value names; undefined: it names none, or one that was not kept. */
export function drawingOf(value: Json | undefined): Drawing | undefined {
  return isDrawn(value) ? drawings.get(value) : undefined;
}

/** Inputs with the painted pictures in place of drawings: as good as the masks for a server that only looks. */
export function withStandIns(inputs: Readonly<Record<string, Json>>): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [name, isDrawn(value) ? (drawingOf(value)?.picture ?? '') : value]),
  );
}

/** Inputs with uploaded pictures in place of drawings; a drawing is uploaded once. Throws as `upload`. */
export async function settled(inputs: Readonly<Record<string, Json>>): Promise<Record<string, Json>> {
  const all = Object.entries(inputs).map(async ([name, value]): Promise<[string, Json]> => {
    return [name, isDrawn(value) ? await digestOf(value) : value];
  });
  return Object.fromEntries(await Promise.all(all));
}

function digestOf(value: string): Promise<string> {
  const known = uploaded.get(value) ?? store(value);
  uploaded.set(value, known);
  known.catch(() => uploaded.delete(value)); // it is tried again with the next request
  return known;
}

async function store(value: string): Promise<string> {
  const drawing = drawings.get(value);
  if (!drawing) return ''; // the server asks for one
  const { painted, width, height } = drawing;
  return (await upload(await maskFile(painted.done, width, height))).digest;
}
