/** Schemas as the server gives them: those of the built-in workflows at the demo backend, and one with all else. */
import builtIn from './built_in.json';

/** What graphs of people ask for beside the built-in ones. */
const PORTRAIT = {
  title: 'Portrait',
  description: 'A portrait with a picture of light',
  type: 'object',
  properties: {
    subject: { title: 'Subject', type: 'string', minLength: 0, maxLength: 40, default: 'a fox', 'x-type': 'string' },
    prompt: { title: 'Prompt', type: 'string', minLength: 0, maxLength: 900, default: 'soft light', 'x-type': 'text' },
    tiled: { title: 'Tiled', type: 'boolean', default: true, 'x-type': 'bool' },
    method: { title: 'Method', type: 'string', enum: ['area', 'lanczos'], default: 'area', 'x-type': 'choice' },
    file: { title: 'File', type: 'string', examples: ['a.gguf', 'b.gguf'], 'x-type': 'choice' },
    strength: { title: 'Strength', type: 'number', minimum: 0, maximum: 2, 'x-type': 'float', 'x-step': 0.05 },
    seed: { title: 'Seed', type: ['integer', 'string'], minimum: 0, 'x-type': 'seed' },
    mood: { title: 'Of a newer server', type: 'string', 'x-type': 'hologram' },
  },
  required: ['subject'],
  additionalProperties: false,
};

/** The text of each, by the id of its workflow. */
export const SCHEMAS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({ ...builtIn, portrait: PORTRAIT }).map(([id, schema]) => [id, JSON.stringify(schema)]),
);
