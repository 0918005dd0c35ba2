import { afterEach, expect, it, vi } from 'vitest';
import { fetchJson, fill, toQuery } from './call';
import { fieldErrors, readError, Unreachable } from './errors';

afterEach(() => vi.unstubAllGlobals());

it('variables of a path are taken out of the request', () => {
  expect(fill('/api/v1/models/{type}/{name}', { type: 'lora', name: 'film/a b.safetensors', x: 1 })).toEqual({
    path: '/api/v1/models/lora/film/a%20b.safetensors',
    rest: { x: 1 },
  });
});

it.each(['..', '.', '../keys/home', 'a/../../b'])('%s is no name: the browser would call something else', (name) => {
  expect(() => fill('/api/v1/workflows/{name}', { name })).toThrow('nothing is called');
});

it('an answer that breaks off is as none', async () => {
  const cut = new ReadableStream({ start: (stream) => stream.error(new TypeError('network error')) });
  vi.stubGlobal('fetch', async () => new Response(cut));
  await expect(fetchJson('/')).rejects.toBeInstanceOf(Unreachable);
});

it('a query holds lists as repeated names, and leaves out what is not set', () => {
  expect(toQuery({ states: ['A', 'B'], text: 'a&b', owner: undefined, favorites: false })).toBe(
    '?states=A&states=B&text=a%26b&favorites=false',
  );
  expect(toQuery({})).toBe('');
});

it('an error carries what the server said', async () => {
  const body = {
    detail: 'the queue is full',
    reason: 'QUEUE_FULL',
    errors: [{ field: 'spec.a.b', description: 'too much' }],
  };
  const error = await readError(new Response(JSON.stringify(body), { status: 429, headers: { 'Retry-After': '7' } }));
  expect(error).toMatchObject({ status: 429, message: 'the queue is full', reason: 'QUEUE_FULL', retryAfter: 7 });
  expect(fieldErrors(error, 'spec.')).toEqual({ 'a.b': 'too much' });
  expect(fieldErrors(error, 'other.')).toEqual({});
});

it('an answer that is no JSON is told by its status', async () => {
  const error = await readError(new Response('<html>', { status: 502, statusText: 'Bad Gateway' }));
  expect(error).toMatchObject({ message: '502 Bad Gateway', reason: '', errors: [] });
  expect(error.retryAfter).toBeUndefined();
});
