/**
 * What is known of a list of pictures, newest first: its beginning without gaps, and how many there are in all.
 *
 * The server's pages can only be walked. So what is known grows at its end, and any part of it can be asked for again,
 * because each page remembers the token behind its last picture. What was deleted stays in its place, unseen, until the
 * server is asked again: so it is back where it was when that is undone. Pure.
 */
import type { Asset } from '$lib/api/contract';

export interface GalleryState {
  /** What is shown, in order. */
  readonly shown: readonly Asset[];
  /** What is known, with what is hidden. */
  readonly known: readonly Asset[];
  /** By digest, whether the server knows of it. One that it knows of and lists again has been brought back. */
  readonly hidden: ReadonlyMap<string, boolean>;
  /** New ones that are not shown yet, so that nothing moves under somebody's eyes. */
  readonly held: readonly Asset[];
  /** The token of what follows a picture, by its digest; empty: it is the last. */
  readonly tokens: ReadonlyMap<string, string>;
  /** The token of what follows all that is known; empty: nothing. Undefined: nothing was asked for yet. */
  readonly next: string | undefined;
  /** How many there are on the server, as far as is known. */
  readonly total: number;
  readonly selected: ReadonlySet<string>;
  /** Where a range begins. */
  readonly anchor: string;
  /** Why it could not be loaded. */
  readonly problem: unknown;
}

export interface Page {
  assets: readonly Asset[];
  next_page_token: string;
  total_size: number;
}

export type GalleryEvent =
  /** Another list is looked at. */
  | { kind: 'began' }
  /** What follows a picture has come; `after` is its digest, empty: the beginning. `hold` keeps new ones back. */
  | { kind: 'loaded'; after: string; page: Page; hold?: boolean }
  | { kind: 'failed'; problem: unknown }
  /** New ones that were held back may be shown. */
  | { kind: 'released' }
  /** Pictures as they are now; those that are not known are left out. */
  | { kind: 'changed'; assets: readonly Asset[] }
  /** Pictures are not shown any more. */
  | { kind: 'hidden'; digests: readonly string[] }
  /** The server has agreed. */
  | { kind: 'gone'; digests: readonly string[] }
  /** They are there again. */
  | { kind: 'restored'; digests: readonly string[] }
  | { kind: 'toggled'; digest: string }
  /** From where the last one was toggled to here. */
  | { kind: 'ranged'; digest: string }
  | { kind: 'selected'; digests: readonly string[] };

export const initial: GalleryState = {
  shown: [],
  known: [],
  hidden: new Map(),
  held: [],
  tokens: new Map(),
  next: undefined,
  total: 0,
  selected: new Set(),
  anchor: '',
  problem: undefined,
};

export function fold(state: GalleryState, event: GalleryEvent): GalleryState {
  switch (event.kind) {
    case 'began':
      return initial;
    case 'loaded':
      return loaded(state, event.after, event.page, event.hold ?? false);
    case 'failed':
      return { ...state, problem: event.problem };
    case 'released':
      return state.held.length === 0 ? state : released(state);
    case 'changed':
      return changed(state, event.assets);
    case 'hidden':
      return hidden(state, event.digests);
    case 'gone':
      return {
        ...state,
        hidden: new Map([...state.hidden, ...event.digests.map((digest) => [digest, true] as const)]),
      };
    case 'restored':
      return restored(state, event.digests);
    case 'toggled':
      return { ...state, selected: toggled(state.selected, event.digest), anchor: event.digest };
    case 'ranged':
      return { ...state, selected: new Set([...state.selected, ...range(state, event.digest)]) };
    case 'selected':
      return { ...state, selected: new Set(event.digests), anchor: event.digests[0] ?? '' };
  }
}

/** How many places the list has: those of pictures that are not known yet, too. */
export function places(state: GalleryState): number {
  if (state.next === '') return state.shown.length;
  return Math.max(state.shown.length, state.total - state.held.length);
}

/** Where a picture is shown; -1: nowhere. */
export function placeOf(state: GalleryState, digest: string): number {
  return state.shown.findIndex((asset) => asset.digest === digest);
}

/** The digest and the token behind which the picture at this place was listed, to ask for it again. */
export function pageBefore(state: GalleryState, place: number): { after: string; token: string } {
  const end = state.known.findIndex((asset) => asset.digest === state.shown[place]?.digest);
  for (let index = end - 1; index >= 0; index -= 1) {
    const after = state.known[index]?.digest ?? '';
    const token = state.tokens.get(after);
    if (token) return { after, token };
  }
  return { after: '', token: '' };
}

function loaded(state: GalleryState, after: string, page: Page, hold: boolean): GalleryState {
  const start = after === '' ? 0 : state.known.findIndex((asset) => asset.digest === after) + 1;
  if (after !== '' && start === 0) return state; // what it follows is gone: it was asked for before that
  const known = new Set(state.known.map((asset) => asset.digest));
  const fresh = hold && after === '' ? countFresh(page.assets, known) : 0;
  const arrived = new Set(page.assets.map((asset) => asset.digest));
  const last = page.assets.at(-1)?.digest;
  const end = page.next_page_token === '' ? -1 : state.known.findIndex((asset) => asset.digest === last);
  const others = (assets: readonly Asset[]) => assets.filter((asset) => !arrived.has(asset.digest));
  const tail = end < start ? [] : others(state.known.slice(end + 1));
  const tokens = new Map(state.tokens);
  if (last !== undefined) tokens.set(last, page.next_page_token);
  return shown({
    ...state,
    hidden: new Map([...state.hidden].filter(([digest, isGone]) => !(isGone && arrived.has(digest)))),
    known: [...others(state.known.slice(0, start)), ...page.assets.slice(fresh), ...tail],
    held: after === '' ? page.assets.slice(0, fresh) : state.held.filter((asset) => !arrived.has(asset.digest)),
    tokens,
    next: tail.length > 0 ? state.next : page.next_page_token,
    total: page.total_size,
    problem: undefined,
  });
}

/** How many at the beginning of a page are new. Where nothing of it is known there is nothing to be kept in place. */
function countFresh(assets: readonly Asset[], known: ReadonlySet<string>): number {
  return Math.max(
    0,
    assets.findIndex((asset) => known.has(asset.digest)),
  );
}

function released(state: GalleryState): GalleryState {
  return shown({ ...state, known: [...state.held, ...state.known], held: [] });
}

function changed(state: GalleryState, assets: readonly Asset[]): GalleryState {
  const news = new Map(assets.map((asset) => [asset.digest, asset]));
  if (!state.known.some((asset) => news.has(asset.digest))) return state;
  return shown({ ...state, known: state.known.map((asset) => news.get(asset.digest) ?? asset) });
}

function hidden(state: GalleryState, digests: readonly string[]): GalleryState {
  const wanted = new Set(digests);
  const going = state.shown.filter((asset) => wanted.has(asset.digest));
  return shown({
    ...state,
    hidden: new Map([...state.hidden, ...going.map((asset) => [asset.digest, false] as const)]),
    total: state.total - going.length,
    selected: new Set([...state.selected].filter((digest) => !wanted.has(digest))),
  });
}

function restored(state: GalleryState, digests: readonly string[]): GalleryState {
  const hidden = new Map(state.hidden);
  const back = digests.filter((digest) => hidden.delete(digest));
  return shown({ ...state, hidden, total: state.total + back.length });
}

/** The state with what follows from its list. */
function shown(state: GalleryState): GalleryState {
  if (state.hidden.size === 0) return { ...state, shown: state.known };
  return { ...state, shown: state.known.filter((asset) => !state.hidden.has(asset.digest)) };
}

function toggled(selected: ReadonlySet<string>, digest: string): ReadonlySet<string> {
  const after = new Set(selected);
  if (!after.delete(digest)) after.add(digest);
  return after;
}

function range(state: GalleryState, digest: string): string[] {
  const [a, b] = [placeOf(state, state.anchor), placeOf(state, digest)];
  const [first, last] = a < 0 ? [b, b] : [Math.min(a, b), Math.max(a, b)];
  return state.shown.slice(first, last + 1).map((asset) => asset.digest);
}
