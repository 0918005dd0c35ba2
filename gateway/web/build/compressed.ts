import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import type { Plugin } from 'vite';

/** Files that compress well; the gateway sends the smallest form that a browser takes. */
const TEXT = /\.(css|html|js|json|svg)$/;

/** Writes a .br and a .gz beside each text file of the build, so that no request has to wait for it. */
export function compressed(): Plugin {
  let outDir = '';
  return {
    name: 'compressed',
    apply: 'build',
    configResolved(config) {
      outDir = resolve(config.root, config.build.outDir);
    },
    async closeBundle() {
      const names = await readdir(outDir, { recursive: true });
      await Promise.all(names.filter((name) => TEXT.test(name)).map((name) => compress(join(outDir, name))));
    },
  };
}

async function compress(path: string): Promise<void> {
  const data = await readFile(path);
  await writeFile(`${path}.br`, await promisify(brotliCompress)(data));
  await writeFile(`${path}.gz`, await promisify(gzip)(data, { level: 9 }));
}
