// @vitest-environment jsdom
import { expect, it } from 'vitest';
import { EMPTY_DRAFT, linkTo, parseLink, type Draft } from './draft';
import { parseRoute } from './router.svelte';

const draft = (part: Partial<Draft>): Draft => ({ ...EMPTY_DRAFT, ...part });

it.each([
  draft({ workflow_id: 'text-to-image', inputs: { prompt: 'a fox & a hare, 100 % #1 + 日本' } }),
  draft({ inputs: { prompt: 'json:5', steps: 20, seed: '18446744073709551615', tiling: true } }),
  draft({ inputs: { loras: [{ name: 'a/b.safetensors', weight: 0.5 }] }, backend: 'big', priority: -3 }),
  draft({ inputs: { prompt: '' } }),
])('a link gives back what it was made of: %j', (given) => {
  const route = parseRoute(linkTo(given));
  expect(route.view).toBe('generate');
  expect(parseLink(route.query)).toEqual(given);
});

it('a link gives values of its own only, whatever they are called', () => {
  const { inputs } = parseLink(new URLSearchParams({ 'i.__proto__': 'json:{"prompt":"unseen"}' })) ?? EMPTY_DRAFT;
  expect(Object.keys(inputs)).toEqual(['__proto__']);
  expect(inputs.prompt).toBeUndefined();
});

it('an address without a draft has none', () => {
  expect(parseLink(parseRoute('#/generate').query)).toBeUndefined();
  expect(parseLink(parseRoute('#/generate?job=1').query)).toBeUndefined();
  expect(linkTo({})).toBe('#/generate');
});

it.each([
  ['', 'generate', ''],
  ['#/nowhere', 'generate', ''],
  ['#/workflows/my-flow?x=1', 'workflows', 'my-flow'],
  ['#/workflows/%E0%A4%A', 'workflows', '%E0%A4%A'],
])('%s leads to %s', (hash, view, id) => {
  expect(parseRoute(hash)).toMatchObject({ view, id });
});
