import { describe, expect, it } from 'vitest';
import type { ImageParameters, JobSpec } from '$lib/api/contract';
import { draftOf, withNewSeed } from './remaking';

const IMAGE = {
  prompt: 'a fox',
  negative_prompt: '',
  width: 512,
  height: 0,
  steps: 4,
  cfg_scale: 0,
  seed: '7',
  count: 1,
  init_image: '',
  mask: '',
  loras: [],
  text_encoders: ['t5', 'clip'],
  hires: { scale: 2, upscaler: '', denoise: 0 },
} as unknown as ImageParameters;

function spec(part: Partial<JobSpec>): JobSpec {
  return { backend: '', labels: {}, ...part } as JobSpec;
}

describe('draftOf', () => {
  it('names parameters as the built-in workflows do, and leaves out what was left open', () => {
    expect(draftOf(spec({ image: IMAGE, backend: 'demo', priority: 2 }))).toEqual({
      workflow_id: 'text-to-image',
      backend: 'demo',
      priority: 2,
      inputs: {
        prompt: 'a fox',
        width: 512,
        steps: 4,
        cfg_scale: 0,
        seed: '7',
        count: 1,
        text_encoder: 't5',
        text_encoder_2: 'clip',
        hires_scale: 2,
        hires_denoise: 0,
      },
    });
  });

  it.each([
    [{ init_image: 'a' }, 'image-to-image'],
    [{ init_image: 'a', mask: 'b' }, 'inpaint'],
  ])('chooses the workflow by the pictures: %o', (part, workflow_id) => {
    expect(draftOf(spec({ image: { ...IMAGE, ...part } }))?.workflow_id).toBe(workflow_id);
  });

  it('takes the values of a stored workflow as they are', () => {
    const workflow = { workflow_id: 'mine', revision: 3, inputs: { strength: 0 } };
    expect(draftOf(spec({ workflow }))).toMatchObject({ workflow_id: 'mine', inputs: { strength: 0 } });
  });

  it('has no form for a graph of its own', () => {
    expect(draftOf(spec({ graph: { json: '{}', images: {}, masks: [] } }))).toBeUndefined();
  });
});

it('leaves the seed to chance for new pictures', () => {
  const draft = draftOf(spec({ image: IMAGE }));
  expect(draft && withNewSeed(draft).inputs).not.toHaveProperty('seed');
});
