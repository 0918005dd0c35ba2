import { expect, it } from 'vitest';
import { countMatches } from './names';

it.each([
  [['*'], 3],
  [['sdxl/*'], 1],
  [['sdxl/*', 'sdxl/base'], 1],
  [['flux?'], 1],
  [['flux.'], 0],
  [[], 0],
])('%s', (patterns, expected) => {
  expect(countMatches(patterns, ['sdxl/base', 'flux1', 'other'])).toBe(expected);
});
