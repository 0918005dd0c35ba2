import { svelte } from '@sveltejs/vite-plugin-svelte';
import tailwindcss from '@tailwindcss/vite';
import { svelteTesting } from '@testing-library/svelte/vite';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { compressed } from './build/compressed.ts';

const gateway = process.env.IMAGEGEN_GATEWAY ?? 'http://127.0.0.1:8000';

export default defineConfig({
  plugins: [tailwindcss(), svelte(), svelteTesting({ autoCleanup: false }), compressed()],
  resolve: { alias: { $lib: fileURLToPath(new URL('src/lib', import.meta.url)) } },
  build: {
    outDir: '../imagegen_gateway/static',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // the gateway's policy allows no code and no styles from data: addresses
    cssCodeSplit: false, // of a part whose styles failed to come once, they would never come
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/session', '/openapi.json', '/docs', '/healthz', '/readyz'].map((path) => [
        path,
        { target: gateway, changeOrigin: false }, // the gateway takes changes from its own pages only
      ]),
    ),
  },
  test: {
    pool: 'threads',
    maxWorkers: '100%', // of the processors; of two it would use one
    environment: 'node', // most of it is pure; what needs a page says so in its first line
    include: ['src/**/*.test.ts'],
    setupFiles: ['src/lib/testing/setup.ts'],
    restoreMocks: true,
  },
});
