import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as en from './en';

const ALIAS = /const (\w+) = \$derived\(text\.([\w.]+)\);/g;

/** The paths that a source reads, as "queue.cancel"; one that is looked up in, as `states[job.state]`, by its table. */
function readIn(source: string): string[] {
  const rest = source.replaceAll(ALIAS, '');
  const direct = [...rest.matchAll(/(?<![\w.])text\??((?:\.\w+)+)/g)].map(([, path = '']) => path.slice(1));
  const aliased = [...source.matchAll(ALIAS)].flatMap(([, alias = '', path = '']) =>
    [...rest.matchAll(new RegExp(`(?<![\\w.])${alias}(?:((?:\\.\\w+)+)|\\[)`, 'g'))].map(
      ([, more = '']) => path + more,
    ),
  );
  return [...direct, ...aliased];
}

function textsOf(part: unknown, path: string): string[] {
  if (typeof part !== 'object' || part === null) return [path];
  return Object.entries(part).flatMap(([name, value]) => textsOf(value, path ? `${path}.${name}` : name));
}

it('every text of the catalogues is read somewhere', () => {
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(svelte|ts)$/.test(path) && !path.endsWith('.test.ts'))
    .map((path) => readFileSync(`src/${path}`, 'utf8'));
  const read = new Set(sources.filter((source) => source.includes('i18n/index.svelte')).flatMap(readIn));
  const isRead = (path: string) => path.split('.').some((_, end, names) => read.has(names.slice(0, end + 1).join('.')));
  expect(textsOf(en, '').filter((path) => !isRead(path))).toEqual([]);
});
