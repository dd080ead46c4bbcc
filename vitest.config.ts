import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { DEADLINE } from './scripts/deadline.ts';
import { SideBySide } from './scripts/test-order.ts';

const library = fileURLToPath(new URL('packages/tidings/src/', import.meta.url));

// Tests run on the sources: a change needs no build, and a stack trace names the right line. What a
// user gets (dist, through `exports`) is what the snippets, the browser tests and `npm run check` run on.
const alias = [
  { find: /^tidings$/, replacement: `${library}index.ts` },
  {
    find: /^tidings\/(ai|chat|client|events|fetch|log|metrics|node|react|testing)$/,
    replacement: `${library}$1/index.ts`,
  },
  { find: /^tidings\/transport$/, replacement: `${library}http/index.ts` },
  { find: /^tidings\/eventsource$/, replacement: `${library}client/event-source/index.ts` },
  { find: /^tidings\/lmdb$/, replacement: `${library}logs/lmdb/index.ts` },
  { find: /^tidings\/postgres$/, replacement: `${library}logs/postgres/index.ts` },
  { find: /^tidings\/redis$/, replacement: `${library}logs/redis/index.ts` },
  { find: /^tidings\/(express|fastify|gzip|koa)$/, replacement: `${library}node/$1.ts` },
];

const built = ['**/node_modules/**', '**/dist/**'];
// A test has several conditions to wait for; the message of the one that never comes true says more than "timed out".
const patience = {
  testTimeout: 3 * DEADLINE,
  hookTimeout: 3 * DEADLINE,
  expect: { poll: { timeout: DEADLINE } },
};

/** Integration tests mostly wait for other processes. Meanwhile, a browser computes. */
const sideBySide = { maxWorkers: Math.max(3, availableParallelism()), sequence: { groupOrder: 1 } };

export default defineConfig({
  test: {
    // Two even on two cores: most tests wait for sockets, timers and other processes.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: SideBySide },
    reporters: ['default', './scripts/summary-reporter.ts'],
    // A mistake that breaks them all must not take hours in CI, where each waits out its deadline.
    bail: process.env['CI'] === 'true' ? 30 : 0,
    projects: [
      {
        resolve: { alias },
        test: {
          name: 'unit',
          include: ['{packages,examples,scripts,site}/**/*.test.ts'],
          exclude: [...built, '**/*.{integration,slow}.test.ts'],
          // Importing the sources anew for each file would take twice the time of the tests.
          isolate: false,
          ...patience,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'slow',
          include: ['{packages,examples,scripts}/**/*.slow.test.ts'],
          exclude: built,
          ...patience,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'integration',
          include: ['{packages,examples,scripts}/**/*.integration.test.ts'],
          exclude: built,
          ...patience,
          ...sideBySide,
        },
      },
      {
        test: {
          name: 'browser',
          include: ['e2e/**/*.test.ts'],
          exclude: built,
          ...patience,
          // Pages are many steps, and a browser without a processor is slow in each.
          testTimeout: 5 * DEADLINE,
          ...sideBySide,
        },
      },
    ],
  },
});
