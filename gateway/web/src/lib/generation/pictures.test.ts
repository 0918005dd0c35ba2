import { expect, it } from 'vitest';
import { pictureIn } from './pictures';

it.each([
  [['text/plain', 'image/png', 'image/webp'], 'image/png'],
  [['image/avif'], 'image/avif'], // which the server refuses, and says so
  [['application/pdf'], undefined],
  [[], undefined],
])('is the picture among %j: %j', (types, found) => {
  expect(pictureIn(types.map((type) => new File([], 'one', { type })))?.type).toBe(found);
});
