import { describe, expect, it } from 'vitest';
import { sectionsOf, sliderRange, type Control } from './layout';
import { readSchema } from './schema';
import { SCHEMAS } from './testing/schemas';

const nameOf = (control: Control) => (control.kind === 'size' ? 'size' : control.field.name);

describe('sectionsOf', () => {
  it.each(Object.keys(SCHEMAS))('has every input of %s once', (workflow) => {
    const schema = readSchema(SCHEMAS[workflow] ?? '');
    const names = sectionsOf(schema).flatMap(({ controls }) => controls.map(nameOf));
    expect(new Set(names).size).toBe(names.length);
    const asked = schema.fields.map(({ name }) => name).filter((name) => name !== 'width' && name !== 'height');
    expect(names.filter((name) => name !== 'size').sort()).toEqual(asked.sort());
  });

  it('begins with the prompt, and puts width and height together', () => {
    const [main] = sectionsOf(readSchema(SCHEMAS['image-to-image'] ?? ''), ['count']);
    expect(main?.controls.map(nameOf).slice(0, 3)).toEqual(['prompt', 'init_image', 'negative_prompt']);
    expect(main?.controls.map(nameOf)).toContain('size');
    expect(main?.controls.map(nameOf)).not.toContain('count');
  });
});

describe('sliderRange', () => {
  const field = (part: object) =>
    ({ ...readSchema('{"properties":{"x":{"x-type":"int"}}}').fields[0], ...part }) as never;
  it.each([
    ['an ordinary range', field({ minimum: 0, maximum: 1 }), 0, { minimum: 0, maximum: 1 }],
    ['steps', field({ name: 'steps', minimum: 1, maximum: 500 }), 20, { minimum: 1, maximum: 60 }],
    ['more steps than usual', field({ name: 'steps', minimum: 1, maximum: 500 }), 61, { minimum: 1, maximum: 500 }],
    ['fewer allowed than usual', field({ name: 'steps', minimum: 1, maximum: 8 }), 4, { minimum: 1, maximum: 8 }],
    ['no end', field({ minimum: 0 }), 0, undefined],
    ['no sensible end', field({ minimum: 0, maximum: 2 ** 32 }), 0, undefined],
  ])('of %s', (_, given, value, range) => expect(sliderRange(given, value)).toEqual(range));
});
