/** `npm run bench -- [suites…] [--tiny] [--runs N] [--only SUBJECT] [--connections N] [--out FILE]` */
import { writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { canPin, killAll, pinSelf } from './harness/child.ts';
import { removeFolders } from './harness/folders.ts';
import { describeMachine, printTables, summarize, writeResults } from './harness/report.ts';
import { createBench, type Suite } from './harness/suite.ts';
import { burst } from './suites/burst.ts';
import { cluster } from './suites/cluster.ts';
import { compression } from './suites/compression.ts';
import { fanout } from './suites/fanout.ts';
import { latency } from './suites/latency.ts';
import { memory } from './suites/memory.ts';
import { parse } from './suites/parse.ts';
import { processes } from './suites/processes.ts';
import { publish } from './suites/publish.ts';
import { resume } from './suites/resume.ts';
import { runs as answers } from './suites/runs.ts';
import { postgres, redis } from './suites/shared-logs.ts';
import { server } from './suites/server.ts';
import { slow } from './suites/slow.ts';
import { http2, tls } from './suites/secure.ts';
import { topics } from './suites/topics.ts';
import { turns } from './suites/turns.ts';
import { canMeasure } from './harness/usage.ts';

const suites: readonly Suite[] = [
  fanout,
  burst,
  latency,
  memory,
  slow,
  resume,
  topics,
  publish,
  parse,
  compression,
  processes,
  redis,
  postgres,
  cluster,
  turns,
  answers,
  tls,
  http2,
  server,
];

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    tiny: { type: 'boolean', default: false },
    runs: { type: 'string', default: '5' },
    only: { type: 'string', multiple: true, default: [] },
    connections: { type: 'string', multiple: true, default: [] },
    out: { type: 'string' },
  },
});
const unknown = names.filter((name) => !suites.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(`No suite ${unknown.join(', ')}. There are: ${suites.map(({ name }) => name).join(', ')}.`);
  process.exit(2);
}
const runs = options.tiny ? 1 : Number(options.runs);
// Numbers of a few subjects, or of tiny sizes, are not for keeping.
const keeps = !options.tiny && options.only.length === 0 && options.connections.length === 0;
const results = fileURLToPath(new URL('../results.json', import.meta.url));
const out =
  options.out !== undefined ? resolve(process.env.INIT_CWD ?? '', options.out) : keeps ? results : undefined;

process.on('exit', () => {
  killAll();
  removeFolders();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

const machine = describeMachine();
console.log(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.kernel}`);
pinSelf();
if (!canPin) console.log('There is no taskset: subject and load share cores, so numbers are not comparable.');
if (!canMeasure)
  console.log('CPU and resident memory are read from /proc, so they are left out: this is not Linux.');

// Tiny suites mostly wait for programs to start: two at a time take half as long. The longest ones are at the end.
const waiting = options.tiny ? suites.toReversed() : [...suites];
await Promise.all(Array.from({ length: options.tiny ? 2 : 1 }, runNext));

async function runNext(): Promise<void> {
  const suite = waiting.shift();
  if (suite === undefined) return;
  if (names.length === 0 || names.includes(suite.name)) await run(suite);
  await runNext();
}

async function run(suite: Suite): Promise<void> {
  const start = performance.now();
  const title = `\n${suite.name}: ${suite.about}`;
  if (!options.tiny) console.log(title);
  const bench = createBench({
    tiny: options.tiny,
    runs,
    only: options.only,
    connections: options.connections.map(Number),
  });
  try {
    await suite.run(bench);
  } catch (error) {
    console.error(`${suite.name} failed:`, error);
    process.exitCode = 1;
  }
  if (options.tiny) console.log(title);
  const rows = summarize(suite.name, bench.samples, suite.reference);
  printTables(rows);
  console.log(`${suite.name} took ${((performance.now() - start) / 1000).toFixed(0)} s.`);
  if (out === undefined || process.exitCode === 1) return;
  writeResults(out, suite.name, rows);
  writeFileSync(join(dirname(out), 'machine.json'), `${JSON.stringify(machine, null, 2)}\n`);
}
