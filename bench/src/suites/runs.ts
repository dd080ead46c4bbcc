import { type Child, startNode, until } from '../harness/child.ts';
import { type Engine, hasRedis, startRedis } from '../harness/engines.ts';
import { makeFolder, removeFolder } from '../harness/folders.ts';
import type { FirstTokens, Progress, Watch } from '../harness/load/viewers.ts';
import type { Bench, Candidate, Metrics, Suite } from '../harness/suite.ts';
import { cpuTime, residentBytes } from '../harness/usage.ts';
import type { Manner } from '../subjects/workers/answers.ts';

interface Kind extends Candidate {
  readonly kind: string;
  readonly engine?: 'redis' | 'lmdb';
}

const noRedis = hasRedis ? {} : { missing: 'there is no redis-server' };
const KINDS: readonly Kind[] = [
  { name: 'res.write loop', kind: 'bare' },
  { name: 'resumable-stream, Redis', kind: 'resumable-stream', engine: 'redis', ...noRedis },
  { name: 'tidings, memory', kind: 'memory' },
  { name: 'tidings, LMDB', kind: 'lmdb', engine: 'lmdb' },
  { name: 'tidings, Redis', kind: 'redis', engine: 'redis', ...noRedis },
];

const VIEWERS = 2;
/** Milliseconds between two tokens, and until the first one of a model that thinks. */
const INTERVAL = 100;
const THINKS = 20;

/** Answers of models: many at once, and one alone until its first token. */
export const runs: Suite = {
  name: 'runs',
  about:
    `Answers of models, a token each ${INTERVAL} ms, with ${VIEWERS} viewers each: CPU of the server and of its engine for a ` +
    'token, and the memory that a run adds while it is running, after a garbage collection. First token: one answer at a time, ' +
    `by a model that thinks for ${THINKS} ms; from the question to the first token without that time, and from the model’s ` +
    'first token to the viewer. `--connections`: how many answers at once.',
  reference: { subject: 'res.write loop' },
  async run(bench) {
    for (const kind of bench.rounds(KINDS)) {
      for (const answers of bench.connections([1000], [20])) await measure(bench, kind, answers);
    }
  },
};

async function measure(bench: Bench, { name, kind, engine }: Kind, answers: number): Promise<void> {
  const folder = engine === 'lmdb' ? makeFolder() : undefined;
  const redis = engine === 'redis' ? await startRedis() : undefined;
  const args = [`kind=${kind}`, `url=${redis?.url ?? ''}`, `path=${folder ?? ''}`];
  const server = startNode(name, 'subjects/workers/answers.js', 'subject', args);
  const load = startNode('viewers', 'harness/load/viewers.js', 'load');
  try {
    const { port } = await server.ask<{ port: number }>('listen');
    // First, some that compile the code.
    await ask(server, load, port, 0, bench.pick(30, 3));
    const first = await ask(server, load, port, 100_000, bench.pick(100, 5));
    bench.record(name, { load: 'one at a time' }, first);
    bench.record(name, { answers }, await stream(bench, { server, load, redis }, port, answers));
  } finally {
    await load.stop();
    await server.stop();
    await redis?.stop();
    if (folder !== undefined) removeFolder(folder);
  }
}

async function ask(
  server: Child,
  load: Child,
  port: number,
  from: number,
  answers: number,
): Promise<Metrics> {
  const manner: Manner = { tokens: 2, interval: 5, thinks: THINKS, holds: false };
  await server.ask('write', manner);
  const watch: Watch = { port, from, answers, viewers: 1, within: 0 };
  const { total, delivery } = await load.ask<FirstTokens>('askInTurn', watch, 120_000);
  const added = total.map((milliseconds) => milliseconds - THINKS);
  return {
    'first token p50': ['ms', quantile(added, 0.5)],
    'first token p99': ['ms', quantile(added, 0.99)],
    'model to viewer p50': ['ms', quantile(delivery, 0.5)],
  };
}

interface Parts {
  readonly server: Child;
  readonly load: Child;
  readonly redis: Engine | undefined;
}

/** All at once. The answers stay unfinished until memory is measured. */
async function stream(
  bench: Bench,
  { server, load, redis }: Parts,
  port: number,
  answers: number,
): Promise<Metrics> {
  const tokens = bench.pick(50, 5);
  const manner: Manner = { tokens, interval: INTERVAL, thinks: 0, holds: true };
  await server.ask('write', manner);
  await server.ask('collectGarbage');
  const memory = residentBytes(server.pid);
  const before = { server: cpuTime(server.pid), engine: engineTime(redis) };
  const watch: Watch = { port, from: 200_000, answers, viewers: VIEWERS, within: bench.pick(2000, 100) };
  await load.ask('watch', watch);
  const progress = (): Promise<Progress> => load.ask<Progress>('progress');
  await until(
    'every viewer has every token',
    async () => {
      const { open, least, most } = await progress();
      if (most > tokens) throw new Error(`A viewer got ${most} tokens instead of ${tokens}.`);
      return open === answers * VIEWERS && least === tokens;
    },
    120_000,
  );
  const spent = { server: cpuTime(server.pid), engine: engineTime(redis) };
  await server.ask('collectGarbage');
  const added = residentBytes(server.pid) - memory;
  await server.ask('finish');
  await until('every answer has ended', async () => (await progress()).open === 0, 120_000);
  const all = answers * tokens;
  const { total } = await load.ask<FirstTokens>('firstTokens');
  return {
    'cpu per token': ['µs', (spent.server - before.server) / 1000 / all],
    'engine’s cpu per token': ['µs', (spent.engine - before.engine) / 1000 / all],
    'memory per run': ['KB', added / 1000 / answers],
    'first token of many p50': ['ms', quantile(total, 0.5)],
  };
}

function engineTime(redis: Engine | undefined): number {
  return redis === undefined ? Number.NaN : cpuTime(redis.pid);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
}
