import { describe, expect, it } from 'vitest';
import type { Asset, AssetSource } from '$lib/api/contract';
import { inputsOfSource, settingsOf, titleOf } from './describing';
import { fileName } from './files';

describe('settingsOf', () => {
  it('tells what people look for first, and leaves out what says nothing', () => {
    const inputs = { width: 512, count: 1, negative_prompt: '', seed: '7', prompt: 'a fox', strength: 0 };
    expect(settingsOf(inputs).map(({ name, value }) => `${name}: ${value}`)).toEqual([
      'prompt: a fox',
      'seed: 7',
      'width: 512',
      'strength: 0',
    ]);
  });

  it.each([
    [{ prompt: 'a' }, 'a', 'long'],
    [{ title: 'x'.repeat(61) }, 'x'.repeat(61), 'long'],
    [{ init_image: 'a'.repeat(64) }, 'a'.repeat(64), 'picture'],
    [{ tiling: true }, 'true', 'short'],
    [{ loras: [{ name: 'ink', weight: 0.5 }, { name: 'glow' }] }, 'ink (0.5)\nglow (1)', 'long'],
    [{ loras: [{ name: 'ink', weight: 1, text_encoder_weight: 0 }] }, 'ink (1, 0)', 'short'],
  ])('shows %o', (inputs, value, kind) => {
    expect(settingsOf(inputs)[0]).toMatchObject({ value, kind });
  });
});

it('tells of a picture whose job is forgotten what was kept with it', () => {
  const source = { prompt: 'a fox', model: '', owner: 'anna' } as AssetSource;
  expect(settingsOf(inputsOfSource(source))).toEqual([{ name: 'prompt', value: 'a fox', kind: 'long' }]);
});

it('names inputs that nobody knows as people write', () => {
  expect([titleOf('cfg_scale', { cfg_scale: 'CFG scale' }), titleOf('face_strength', {})]).toEqual([
    'CFG scale',
    'Face strength',
  ]);
});

it.each([
  [{ create_time: '2026-08-01T10:00:00Z', source: { prompt: 'A fox, été!', seed: '7' } }, '2026-08-01_a-fox-été_7.png'],
  [{ media_type: 'image/jpeg' }, '01234567.jpg'],
])('names the file of %o', (part, name) => {
  const asset = { digest: '0123456789', media_type: 'image/png', ...part } as unknown as Asset;
  expect(fileName(asset)).toBe(name);
});
