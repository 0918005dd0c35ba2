// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { toasts } from '$lib/state/toasts.svelte';
import { remove, setFavorite } from './changing';
import { NO_FILTERS } from './filters';
import { Gallery } from './gallery.svelte';

const COUNT = 1200;
/** What was asked for, without the server's address. */
let asked: string[] = [];
let isAway = false;
/** Called when a list was made, before it is answered. */
let onlisted = async () => {};
const gallery = new Gallery();

/** A server with pictures 1200 (the newest) to 1, of which 1 cannot be changed, and 2 not be brought back. */
async function answer(path: string, init: RequestInit): Promise<Response> {
  if (isAway) throw new TypeError('nobody there');
  const url = new URL(path, 'http://gateway');
  const method = init.method ?? 'GET';
  asked.push(`${method} ${url.pathname.replace('/api/v1/assets', '')}${url.search}`);
  if (method !== 'GET') {
    const isRefused = url.pathname.endsWith('/1') || url.pathname.endsWith('/2:undelete');
    return new Response(JSON.stringify({ detail: 'a job needs it' }), { status: isRefused ? 400 : 200 });
  }
  const size = Number(url.searchParams.get('page_size'));
  const first = Number(url.searchParams.get('page_token') || COUNT);
  const assets = Array.from({ length: Math.min(size, first) }, (_, index) => ({ digest: String(first - index) }));
  const next_page_token = first > size ? String(first - size) : '';
  await onlisted();
  return new Response(JSON.stringify({ assets, next_page_token, total_size: COUNT }));
}

beforeEach(() => {
  asked = [];
  isAway = false;
  onlisted = async () => {};
  vi.stubGlobal('fetch', answer);
});
afterEach(() => {
  gallery.stop();
  gallery.send({ kind: 'began' });
});

it('loads a first page, and then as far as somebody looks', async () => {
  gallery.begin(NO_FILTERS);
  await vi.waitFor(() => expect(gallery.state.shown).toHaveLength(100));
  expect(gallery.count).toBe(COUNT);
  gallery.see(880, 910);
  await vi.waitFor(() => expect(gallery.state.shown).toHaveLength(1100));
  await gallery.loadAll();
  expect(gallery.state.shown.map(({ digest }) => Number(digest))).toEqual(
    Array.from({ length: COUNT }, (_, index) => COUNT - index),
  );
});

it('asks again only for the newest and for what is seen', async () => {
  gallery.begin(NO_FILTERS);
  await gallery.loadAll();
  gallery.see(700, 720);
  asked = [];
  await gallery.refresh();
  expect(asked.map((request) => /page_token=(\d*)/.exec(request)?.[1])).toEqual(['', '600']);
  expect(gallery.state.shown).toHaveLength(COUNT);
});

it('forgets what was looked for before', async () => {
  gallery.begin({ ...NO_FILTERS, text: 'fox' });
  gallery.begin({ ...NO_FILTERS, text: 'owl' });
  await vi.waitFor(() => expect(gallery.state.shown).toHaveLength(100));
  expect(gallery.filters.text).toBe('owl');
  expect(asked.at(-1)).toContain('text=owl');
});

it('keeps what it has while nobody answers', async () => {
  gallery.begin(NO_FILTERS);
  await vi.waitFor(() => expect(gallery.state.shown).toHaveLength(100));
  isAway = true;
  gallery.see(200, 220);
  await vi.waitFor(() => expect(gallery.state.problem).toBeDefined());
  expect(gallery.state.shown).toHaveLength(100);
  isAway = false;
  gallery.retry();
  await vi.waitFor(() => expect(gallery.state.shown).toHaveLength(600));
  expect(gallery.state.problem).toBeUndefined();
});

it('believes no list that was made before a change has ended', async () => {
  gallery.begin(NO_FILTERS);
  await gallery.loadAll();
  asked = [];
  let end = () => {};
  onlisted = async () => {
    onlisted = async () => {};
    void gallery.change(() => new Promise<void>((resolve) => (end = resolve)));
    await Promise.resolve();
  };
  const refreshed = gallery.refresh();
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  const before = gallery.state;
  await new Promise((resolve) => setTimeout(resolve));
  expect([asked.length, gallery.state]).toEqual([1, before]);
  end();
  await refreshed;
  expect(asked).toHaveLength(2);
  expect(gallery.state).not.toBe(before);
});

it('takes back what the server refuses, and offers to undo the rest', async () => {
  gallery.begin(NO_FILTERS);
  await gallery.loadAll();
  await remove(gallery, ['7', '1']);
  const digests = () => gallery.state.shown.slice(-8).map(({ digest }) => digest);
  expect(digests().join()).toBe('9,8,6,5,4,3,2,1');
  expect(toasts.list.map(({ text }) => text)).toEqual([
    'This did not work for 1 picture: a job needs it',
    '1 picture deleted',
  ]);
  toasts.list.at(-1)?.action?.run();
  await vi.waitFor(() => expect(asked).toContain('POST /7:undelete'));
  expect(digests().join()).toBe('8,7,6,5,4,3,2,1');

  await remove(gallery, ['2']);
  toasts.list.at(-1)?.action?.run();
  expect(digests().join()).toBe('8,7,6,5,4,3,2,1');
  await vi.waitFor(() => expect(digests().join()).toBe('9,8,7,6,5,4,3,1'));

  await setFavorite(gallery, gallery.state.shown.slice(-2), true);
  expect(gallery.state.shown.slice(-2).map(({ favorite }) => Boolean(favorite))).toEqual([true, false]);
});
