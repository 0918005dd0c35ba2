// @vitest-environment jsdom
import { render, screen, waitFor } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { beforeEach, expect, it, vi } from 'vitest';
import type { Asset } from '$lib/api/contract';
import { Gallery } from '$lib/gallery/gallery.svelte';
import Lightbox from './Lightbox.svelte';

function picture(digest: string, part: Partial<Asset> = {}): Asset {
  const source = { prompt: `picture ${digest}`, model: '', seed: '7' };
  return { digest, media_type: 'image/png', width: 8, height: 8, size_bytes: '9', source, ...part } as unknown as Asset;
}

/** What the gateway is asked, and what it answers. */
const asked: string[] = [];
const SPEC = { image: { prompt: 'a fox', seed: '7', count: 1 }, backend: '' };
const ANSWERS: [RegExp, unknown][] = [
  [
    /\/metadata$/,
    { spec: SPEC, job_id: 'j1', parameters: 'a fox\nSeed: 7', graph_json: '{}', ui_json: '', notes: ['n'] },
  ],
  [/\/x\/info$/, { asset: picture('x') }],
  [/^PATCH/, {}],
];

beforeEach(() => {
  asked.length = 0;
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    const request = `${init.method ?? 'GET'} ${path}`;
    asked.push(request);
    const body = ANSWERS.find(([pattern]) => pattern.test(request))?.[1];
    return new Response(JSON.stringify(body ?? { detail: 'none' }), { status: body ? 200 : 404 });
  });
});

function shown(digest: string, assets = [picture('a'), picture('b'), picture('c')]) {
  const gallery = new Gallery();
  gallery.send({ kind: 'loaded', after: '', page: { assets, next_page_token: '', total_size: assets.length } });
  const heard = { onmove: vi.fn(), ondelete: vi.fn(), onclose: vi.fn() };
  render(Lightbox, { gallery, digest, ...heard });
  return { gallery, ...heard };
}

it.each([
  ['{ArrowRight}', 'c'],
  ['{ArrowLeft}', 'a'],
  ['{Home}', 'a'],
  ['{End}', 'c'],
])('%s leads to another picture', async (key, digest) => {
  const { onmove } = shown('b');
  await userEvent.keyboard(key);
  await waitFor(() => expect(onmove).toHaveBeenCalledExactlyOnceWith(digest));
});

it('goes no further than the last one', async () => {
  const { onmove } = shown('c');
  await userEvent.keyboard('{ArrowRight}{End}');
  expect(onmove).not.toHaveBeenCalled();
  expect(screen.queryByRole('button', { name: 'Next picture' })).toBeNull();
});

it('marks with F and deletes with Delete', async () => {
  const { gallery, ondelete } = shown('b');
  await userEvent.keyboard('f');
  expect(gallery.state.shown[1]?.favorite).toBe(true);
  await waitFor(() => expect(asked).toContain('PATCH /api/v1/assets/b'));
  await userEvent.keyboard('{Delete}');
  expect(ondelete).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ digest: 'b' }));
});

it('goes on with the next picture when the shown one is deleted, and closes with the last', async () => {
  const { gallery, onmove, onclose } = shown('b');
  gallery.send({ kind: 'hidden', digests: ['b'] });
  await waitFor(() => expect(onmove).toHaveBeenCalledExactlyOnceWith('c'));
  gallery.send({ kind: 'restored', digests: ['b'] });
  await waitFor(() => expect(screen.getByText('2 of 3')).toBeVisible());
  gallery.send({ kind: 'hidden', digests: ['a', 'b', 'c'] });
  await waitFor(() => expect(onclose).toHaveBeenCalled());
});

it('stays with a picture that goes from the list by itself, from where the neighbours are still reached', async () => {
  const [a, x, c] = [picture('a'), picture('x', { favorite: true }), picture('c')];
  const { gallery, onmove } = shown('x', [a, x, c]);
  await userEvent.keyboard('f');
  gallery.send({ kind: 'loaded', after: '', page: { assets: [a, c], next_page_token: '', total_size: 2 } });
  await waitFor(() => expect(asked).toContain('GET /api/v1/assets/x/info'));
  expect(screen.getByRole('img', { name: 'picture x' })).toBeVisible();
  expect(onmove).not.toHaveBeenCalled();
  await userEvent.keyboard('f{ArrowRight}{ArrowLeft}');
  await waitFor(() => expect(onmove.mock.calls).toEqual([['c'], ['a']]));
  expect(asked.filter((request) => request.startsWith('PATCH'))).toHaveLength(2);
});

it('tells how the picture was made, and links to the form with it', async () => {
  shown('b');
  await userEvent.click(screen.getByRole('button', { name: 'Show the settings' }));
  expect(await screen.findByText('a fox')).toBeVisible();
  const link = (name: string) => screen.getByRole('link', { name }).getAttribute('href');
  expect(link('Use these settings')).toBe('#/generate?workflow=text-to-image&i.prompt=a+fox&i.seed=7&i.count=json%3A1');
  expect(link('With a new seed')).not.toContain('seed');
  expect(link('Inpaint this')).toContain('workflow=inpaint&i.prompt=picture+b&i.init_image=b');
  expect(link('Open the workflow')).toBe('#/workflows?import=b');
  expect(link('Without settings in it')).toBe('/api/v1/assets/b?metadata=strip');
});

it('shows a picture that is not in the list, and says when there is none', async () => {
  shown('x');
  expect(await screen.findByRole('img', { name: 'picture x' })).toBeVisible();
  expect(screen.queryByRole('button', { name: 'Next picture' })).toBeNull();
});

it('says when a picture is not there', async () => {
  shown('y');
  expect(await screen.findByText('This picture is not there any more.')).toBeVisible();
});
