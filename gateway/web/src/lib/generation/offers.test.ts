import { describe, expect, it } from 'vitest';
import type { Model } from '$lib/api/contract';
import { modelTakenAt, offersOf, placesFor, shortName, unfitAt } from './offers';
import { readSchema } from './schema';

const model = (name: string, type: Model['type'], ...backends: string[]): Model => ({
  name,
  type,
  backends,
  resident_backends: backends.slice(1),
  description: `${name} of someone`,
  sha256: '',
  size_bytes: '0',
  metadata: {},
});
const MODELS = [
  model('base', 'MODEL_TYPE_CHECKPOINT', 'big', 'small'),
  model('flux', 'MODEL_TYPE_DIFFUSION_MODEL', 'big'),
  model('film', 'MODEL_TYPE_LORA', 'small'),
  model('euler', 'MODEL_TYPE_SAMPLER', 'small'),
];
const SCHEMA = readSchema(
  JSON.stringify({
    properties: {
      model: { 'x-type': 'model', 'x-model-type': 'checkpoints', enum: ['flux', 'base', 'gone'] },
      sampler: { 'x-type': 'choice', enum: ['euler', 'ddim'] },
      loras: { 'x-type': 'loras', 'x-model-type': 'loras', items: { properties: { name: { enum: ['film'] } } } },
    },
  }),
);
const namesAt = (index: number, ...places: string[]) =>
  offersOf(SCHEMA.fields[index] as never, MODELS, places).map(({ name }) => name);

describe('offersOf', () => {
  it('is what the workflow allows, in its order', () => expect(namesAt(0)).toEqual(['flux', 'base', 'gone']));
  it('is what a backend has of it, and what nobody knows', () => expect(namesAt(0, 'small')).toEqual(['base', 'gone']));
  it('knows samplers by their name', () => expect(namesAt(1, 'big')).toEqual(['ddim']));
});

describe('unfitAt', () => {
  const values = { model: 'flux', sampler: 'euler', loras: [{ name: 'film' }], steps: 4 };
  it('names what another backend has not', () => {
    expect(unfitAt('small', SCHEMA, values, MODELS)).toEqual(['model']);
    expect(unfitAt('big', SCHEMA, values, MODELS)).toEqual(['sampler', 'loras']);
  });
  it('is nothing at any backend', () => expect(unfitAt('', SCHEMA, values, MODELS)).toEqual([]));
  it('leaves to the server what nobody offers', () => {
    expect(unfitAt('big', SCHEMA, { model: 'elsewhere' }, MODELS)).toEqual([]);
  });
});

describe('placesFor', () => {
  const [model, sampler] = SCHEMA.fields as never[];
  it.each([
    ['the chosen backend', sampler, { model: 'flux' }, 'small', ['small']],
    ['where the chosen model is', sampler, { model: 'flux' }, '', ['big']],
    ['anywhere for the model itself', model, { model: 'flux' }, '', []],
    ['anywhere without a model', sampler, {}, '', []],
  ] as const)('is %s', (_, field, values, backend, places) => {
    expect(placesFor(field as never, values, MODELS, backend)).toEqual(places);
  });
});

it.each([
  ['what is loaded', 'small', 'base'],
  ['the first checkpoint', 'big', 'base'],
  ['nothing', '', undefined],
])('takes %s', (_, backend, name) => {
  const first = { ...MODELS[0], backends: ['big', 'small'], resident_backends: ['small'] } as Model;
  expect(modelTakenAt(backend, SCHEMA, [first, ...MODELS.slice(1)])).toBe(name);
});

it.each([
  ['sdxl/base.safetensors', 'base'],
  ['a\\b.ckpt', 'b'],
  ['demo-flow', 'demo-flow'],
  ['v1.5', 'v1.5'],
])('calls %s %s', (name, short) => expect(shortName(name)).toBe(short));
