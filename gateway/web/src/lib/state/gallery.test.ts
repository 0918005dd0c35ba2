import { describe, expect, it } from 'vitest';
import type { Asset } from '$lib/api/contract';
import { fold, initial, pageBefore, placeOf, places, type GalleryEvent, type GalleryState, type Page } from './gallery';

function picture(digest: string | number, part: Partial<Asset> = {}): Asset {
  return { digest: String(digest), favorite: false, ...part } as Asset;
}

function page(digests: (string | number)[], next_page_token = '', total_size = digests.length): Page {
  return { assets: digests.map((digest) => picture(digest)), next_page_token, total_size };
}

function after(...events: GalleryEvent[]): GalleryState {
  return events.reduce(fold, initial);
}

function digests(state: GalleryState): string {
  return state.shown.map((asset) => asset.digest).join('');
}

const ABC: GalleryEvent = { kind: 'loaded', after: '', page: page(['a', 'b', 'c'], 't1', 7) };
const DEF: GalleryEvent = { kind: 'loaded', after: 'c', page: page(['d', 'e', 'f'], 't2', 7) };

describe('pages', () => {
  it('follow each other, and the places of those that are not known are counted', () => {
    const state = after(ABC, DEF);
    expect([digests(state), state.next, places(state)]).toEqual(['abcdef', 't2', 7]);
  });

  it('tell at the end how many there really are', () => {
    const state = after(ABC, { kind: 'loaded', after: 'c', page: page(['d'], '', 9) });
    expect(places(state)).toBe(4);
  });

  it('that come after what they followed is gone are left out', () => {
    expect(after(ABC, { kind: 'loaded', after: 'x', page: page(['d']) })).toEqual(after(ABC));
  });

  it.each<[string, GalleryEvent, string, string]>([
    ['the beginning', { kind: 'loaded', after: '', page: page(['z', 'a', 'c'], 't', 7) }, 'zacdef', 't2'],
    ['the middle', { kind: 'loaded', after: 'c', page: page(['e', 'f'], 't9', 6) }, 'abcef', 't9'],
    ['a part that has nothing in common', { kind: 'loaded', after: '', page: page(['x', 'y'], 't5', 9) }, 'xy', 't5'],
    ['all that is left', { kind: 'loaded', after: '', page: page(['a', 'c'], '', 2) }, 'ac', ''],
  ])('may come again: %s', (_, event, expected, next) => {
    const state = after(ABC, DEF, event);
    expect([digests(state), state.next]).toEqual([expected, next]);
  });

  it('can be asked for again from where they began', () => {
    const state = after(ABC, DEF);
    expect(pageBefore(state, 1)).toEqual({ after: '', token: '' });
    expect(pageBefore(state, 4)).toEqual({ after: 'c', token: 't1' });
  });

  it('end a problem', () => {
    const state = after({ kind: 'failed', problem: new Error('away') });
    expect(fold(state, ABC).problem).toBeUndefined();
  });
});

describe('new pictures', () => {
  const NEW: GalleryEvent = { kind: 'loaded', after: '', page: page(['y', 'z', 'a', 'b', 'c'], 't1', 9), hold: true };

  it('are held back while somebody looks further down', () => {
    const state = after(ABC, DEF, NEW);
    expect([digests(state), state.held.length, places(state)]).toEqual(['abcdef', 2, 7]);
  });

  it('are shown when they are wanted', () => {
    const state = after(ABC, DEF, NEW, { kind: 'released' });
    expect([digests(state), state.held.length, places(state)]).toEqual(['yzabcdef', 0, 9]);
  });

  it('are not held where nothing is shown', () => {
    const state = fold(initial, { kind: 'loaded', after: '', page: page(['a']), hold: true });
    expect(digests(state)).toBe('a');
  });
});

describe('deleted pictures', () => {
  it('come back to their place', () => {
    const gone = after(ABC, DEF, { kind: 'hidden', digests: ['b', 'e'] }, { kind: 'gone', digests: ['b', 'e'] });
    expect([digests(gone), places(gone)]).toEqual(['acdf', 5]);
    const back = fold(gone, { kind: 'restored', digests: ['e', 'b'] });
    expect([digests(back), places(back)]).toEqual(['abcdef', 7]);
  });

  it('stay hidden while the server does not know of it, and are back when it lists them afterwards', () => {
    const going = after(ABC, { kind: 'hidden', digests: ['b'] }, ABC);
    expect(digests(going)).toBe('ac');
    expect(digests([{ kind: 'gone', digests: ['b'] } as const, ABC].reduce(fold, going))).toBe('abc');
  });

  it('are selected no more', () => {
    const state = after(ABC, { kind: 'selected', digests: ['a', 'b'] }, { kind: 'hidden', digests: ['b'] });
    expect([...state.selected]).toEqual(['a']);
  });
});

describe('selecting', () => {
  it('goes one by one, and in ranges from the last one', () => {
    const state = after(ABC, DEF, { kind: 'toggled', digest: 'e' }, { kind: 'ranged', digest: 'c' });
    expect([...state.selected].sort().join('')).toBe('cde');
    expect(fold(state, { kind: 'toggled', digest: 'd' }).selected.has('d')).toBe(false);
  });

  it('of a range without a beginning takes the one', () => {
    expect([...after(ABC, { kind: 'ranged', digest: 'b' }).selected]).toEqual(['b']);
  });
});

it('changes a picture where it is', () => {
  const state = after(ABC, { kind: 'changed', assets: [picture('b', { favorite: true }), picture('x')] });
  expect([digests(state), state.shown[placeOf(state, 'b')]?.favorite]).toEqual(['abc', true]);
});

/** Numbers that look random and are the same each time. */
function* numbers(seed: number): Generator<(below: number) => number> {
  let value = seed;
  const next = (below: number) => {
    value = (Math.imul(value, 1664525) + 1013904223) >>> 0;
    return value % below;
  };
  for (;;) yield next;
}

it.each(Array.from({ length: 40 }, (_, seed) => seed))('is the server’s list once it was walked (%i)', (seed) => {
  const random = numbers(seed + 1).next().value as (below: number) => number;
  let server = Array.from({ length: 30 }, (_, index) => 30 - index);
  const SIZE = 4;
  const list = (token: string): Page => {
    const rest = token ? server.filter((number) => number < Number(token)) : server;
    const assets = rest.slice(0, SIZE);
    return page(assets, rest.length > SIZE ? String(assets.at(-1)) : '', server.length);
  };
  const append = (state: GalleryState) =>
    fold(state, { kind: 'loaded', after: state.known.at(-1)?.digest ?? '', page: list(state.next ?? '') });
  const refresh = (state: GalleryState, place: number, hold: boolean) => {
    const { after, token } = pageBefore(state, place);
    return fold(state, { kind: 'loaded', after, page: list(token), hold });
  };
  let state = append(initial);
  for (let step = 0; step < 40; step += 1) {
    const shownBefore = digests(state);
    const choice = random(5);
    if (choice === 0) server = [(server[0] ?? 0) + 1, ...server];
    const gone = random(server.length || 1);
    if (choice === 1) server = server.filter((_, index) => index !== gone);
    if (choice === 2 && state.next !== '') {
      state = append(state);
      expect(digests(state).startsWith(shownBefore)).toBe(true);
    }
    if (choice === 3) state = refresh(state, random(state.shown.length || 1), random(2) === 0);
    if (choice === 4) state = fold(state, { kind: 'released' });
    expect(new Set(state.known.map((asset) => asset.digest)).size).toBe(state.known.length);
  }
  state = fold(state, { kind: 'released' });
  for (let place = 0; place < state.shown.length; place += SIZE) state = refresh(state, place, false);
  for (let step = 0; state.next !== '' && step < 60; step += 1) state = append(state);
  for (let place = 0; place < state.shown.length; place += 1) state = refresh(state, place, false);
  expect(state.shown.map((asset) => Number(asset.digest))).toEqual(server);
  expect(places(state)).toBe(server.length);
});
