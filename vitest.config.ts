import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const library = fileURLToPath(new URL('packages/tidings/src/', import.meta.url));

// Tests run on the sources, so that a change needs no build and a stack trace names the right line. What a
// user gets (dist, through `exports`) is what the snippets, the browser tests and `npm run check` run on.
const alias = [
  { find: /^tidings$/, replacement: `${library}index.ts` },
  { find: /^tidings\/(client|fetch|log|node|testing)$/, replacement: `${library}$1/index.ts` },
  { find: /^tidings\/transport$/, replacement: `${library}http/index.ts` },
  { find: /^tidings\/eventsource$/, replacement: `${library}client/event-source/index.ts` },
  { find: /^tidings\/lmdb$/, replacement: `${library}logs/lmdb/index.ts` },
  { find: /^tidings\/redis$/, replacement: `${library}logs/redis/index.ts` },
  { find: /^tidings\/(express|fastify|gzip|koa)$/, replacement: `${library}node/$1.ts` },
];

const built = ['**/node_modules/**', '**/dist/**'];

export default defineConfig({
  test: {
    reporters: ['default', './scripts/summary-reporter.ts'],
    projects: [
      {
        resolve: { alias },
        test: {
          name: 'unit',
          include: ['{packages,examples,scripts}/**/*.test.ts'],
          exclude: [...built, '**/*.integration.test.ts'],
          // Properties take seconds on a quiet machine, and several times as long on a loaded one.
          testTimeout: 60_000,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'integration',
          include: ['{packages,examples,scripts}/**/*.integration.test.ts'],
          exclude: built,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'browser',
          include: ['e2e/**/*.test.ts'],
          exclude: built,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // A browser and a server per file want the whole machine, or their timings say nothing.
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
