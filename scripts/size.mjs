// The client's cost for a page: each entry bundled alone, minified and compressed, against a budget. `npm run check`
// fails if one is exceeded. It bundles the sources, so it needs no build. Why the goals are not all met:
// docs/adr/0011-what-the-client-costs.md
import { gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

/**
 * @typedef {object} Budget
 * @property {string} name
 * @property {string} code imports the code to measure, from the folder of the library's sources
 * @property {number} bytes the most it may take, minified and compressed by gzip
 * @property {number} [goal] the budget for the future, if that is less
 * @property {boolean} [withLater] also counts code that is loaded on demand
 */

/** @type {readonly Budget[]} A kB is 1,000 bytes. */
const budgets = [
  {
    name: 'connect, the core',
    code: `export { connect } from './client/index.ts';`,
    bytes: 11_710,
    goal: 5_000,
  },
  {
    name: 'the EventSource class',
    code: `export { EventSource } from './client/event-source/index.ts';`,
    bytes: 3_500,
  },
  {
    name: 'everything of the client',
    code: `export * from './client/index.ts'; export { EventSource } from './client/event-source/index.ts';`,
    bytes: 24_730,
    goal: 12_000,
    withLater: true,
  },
  {
    name: 'hooks for React, with the client',
    code: `export * from './react/index.ts';`,
    bytes: 18_820,
  },
  {
    name: 'typed events, on top of any of these',
    code: `export { defineEvents, typedClient } from './events/index.ts';`,
    bytes: 2_500,
  },
];

const sources = fileURLToPath(new URL('../packages/tidings/src/', import.meta.url));

/** @param {Budget} budget */
async function measure({ code, withLater = false }) {
  const entry = `${sources}size-entry.ts`;
  const build = await rolldown({
    input: entry,
    platform: 'browser',
    external: ['react'],
    // As in an app, whose own entry exports nothing: what a chunk that is loaded later needs may stand in the first one.
    preserveEntrySignatures: 'allow-extension',
    // A Node module in it would be a mistake, not something to leave out.
    onLog(_level, log) {
      if (log.code === 'MODULE_LEVEL_DIRECTIVE') return;
      throw new Error(log.message);
    },
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === entry ? id : undefined),
        load: (id) => (id === entry ? code : undefined),
      },
    ],
  });
  const { output } = await build.generate({ format: 'esm', minify: true });
  await build.close();
  const chunks = new Map(output.flatMap((file) => (file.type === 'chunk' ? [[file.fileName, file]] : [])));
  const counted = withLater ? [...chunks.keys()] : [output[0].fileName];
  // A list that grows while it is gone through: chunks import each other.
  for (const name of counted) {
    for (const next of chunks.get(name)?.imports ?? []) if (!counted.includes(next)) counted.push(next);
  }
  const text = counted.map((name) => chunks.get(name)?.code ?? '').join('');
  return { minified: Buffer.byteLength(text), compressed: gzipSync(text, { level: 9 }).length };
}

const number = new Intl.NumberFormat('en-US');
for (const budget of budgets) {
  const { name, bytes, goal } = budget;
  const { minified, compressed } = await measure(budget);
  const over = compressed > bytes;
  const limit = `${number.format(bytes)}${goal === undefined ? '' : ` (goal ${number.format(goal)})`}`;
  console.log(
    `${over ? 'TOO BIG' : 'ok     '}  ${name}: ${number.format(minified)} bytes minified, ` +
      `${number.format(compressed)} with gzip, budget ${limit}`,
  );
  if (over) process.exitCode = 1;
}
