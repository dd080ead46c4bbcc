import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { DEADLINE } from '../../../../scripts/deadline.ts';
import { handSource } from '../../test/ai-source.ts';
import { type PostgresServer, hasPostgres, startPostgres } from '../../test/engines/postgres.ts';
import { type RedisServer, hasRedis, startRedis } from '../../test/engines/redis.ts';
import { type EventLog, createHub } from '../../test/internals.ts';
import { lmdbLog } from '../logs/lmdb/index.ts';
import { postgresLog } from '../logs/postgres/index.ts';
import { redisLog } from '../logs/redis/index.ts';
import { type Run, type Runs, type RunsOptions, createRuns } from './index.ts';

let redis: RedisServer | undefined;
let postgres: PostgresServer | undefined;
beforeAll(async () => {
  if (hasRedis) redis = await startRedis();
  if (hasPostgres) postgres = await startPostgres('fsync=off');
});
afterAll(async () => {
  await redis?.stop();
  await postgres?.stop();
});

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: DEADLINE, interval: 10 });

interface Node {
  readonly runs: Runs;
  /** Ends it without a word about its runs, as a crash does. */
  crash(): Promise<void>;
}

function start(log: EventLog, options: RunsOptions): Node {
  let isDown = false;
  const hub = createHub({ log, onError: () => {} });
  const runs = createRuns(hub, { lease: 1000, onError: () => {}, ...options });
  closers.push(async () => {
    if (isDown) return;
    await runs.close({ within: 0 });
    await hub.close({ within: 0 });
  });
  return {
    runs,
    async crash() {
      isDown = true;
      await hub.close({ within: 0 });
    },
  };
}

let prefixes = 0;

const engines: Record<string, () => Promise<() => Promise<EventLog>>> = {
  async LMDB() {
    const path = await mkdtemp(join(tmpdir(), 'runs-'));
    closers.push(() => rm(path, { recursive: true, force: true }));
    return () => Promise.resolve(lmdbLog({ path, durability: 'relaxed' }));
  },
  Redis() {
    prefixes += 1;
    const prefix = `{runs-${prefixes}}:`;
    return Promise.resolve(() => redisLog({ url: redis?.url ?? '', prefix }));
  },
  PostgreSQL() {
    prefixes += 1;
    const schema = `runs_${prefixes}`;
    return Promise.resolve(() => postgresLog({ url: postgres?.url ?? '', schema, connections: 2 }));
  },
};

/** A deterministic answer, as deltas of random length. */
function deltas(count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({
    type: 'text-delta',
    id: '1',
    delta: 'tide '.repeat((i * 7) % 5) + String(i),
  }));
}

async function textOf(run: Run, after = 0): Promise<{ text: string; end: string }> {
  let text = '';
  for await (const item of run.items({ after })) {
    if (item.kind === 'chunks')
      text += item.batch.chunks.map((chunk) => (chunk as { delta: string }).delta).join('');
    else return { text, end: item.kind === 'end' ? item.record.status : item.kind };
  }
  return { text, end: 'cut off' };
}

/** Whether the engine is here. */
const isHere: Record<string, boolean> = { LMDB: true, Redis: hasRedis, PostgreSQL: hasPostgres };

describe.each(Object.entries(engines).filter(([name]) => isHere[name]))('runs on %s', (name, prepare) => {
  test('survive the process: what was written is there after a restart, and ended as lost', async () => {
    const open = await prepare();
    const saved: string[] = [];
    const options: RunsOptions = { onEnd: ({ text, status }) => void saved.push(`${status}: ${text}`) };
    const first = start(await open(), options);
    const source = handSource();
    const run = await first.runs.start({ chat: 'c', id: '1' }, () => source);
    const viewer = textOf(run).catch((error: unknown) => error);
    source.push(...deltas(5));
    const written = deltas(5)
      .map((each) => (each as { delta: string }).delta)
      .join('');
    await until(async () => {
      let seen = 0;
      for await (const item of run.items()) {
        if (item.kind !== 'chunks') break;
        seen += item.batch.chunks.map((chunk) => (chunk as { delta: string }).delta).join('').length;
        if (seen >= written.length) break;
      }
      expect(seen).toBe(written.length);
    });
    await first.crash();
    void viewer;
    const second = start(await open(), options);
    await until(async () => expect((await second.runs.find('c'))?.status).toBe('lost'));
    expect(await textOf((await second.runs.find('c')) as Run)).toEqual({ text: written, end: 'lost' });
    await until(() => expect(saved).toEqual([`lost: ${written}`]));
  });

  if (name === 'LMDB') return;
  test('of two processes at once are produced once, read by both, and stopped by either', async () => {
    const open = await prepare();
    const saved: string[] = [];
    // No process dies here, however slow it is.
    const options: RunsOptions = { lease: 60_000, onEnd: ({ id }) => void saved.push(id) };
    const nodes = [start(await open(), options), start(await open(), options)];
    let produced = 0;
    const ids = Array.from({ length: 20 }, (_, i) => `${i}`);
    const whole = deltas(40)
      .map((each) => (each as { delta: string }).delta)
      .join('');
    const texts = await Promise.all(
      ids.map(async (id) => {
        const both = await Promise.all(
          nodes.map(({ runs }) =>
            runs.start({ chat: 'c', id }, async function* produce() {
              produced += 1;
              for (const delta of deltas(40)) {
                await new Promise((resolve) => setTimeout(resolve, 5));
                yield delta;
              }
            }),
          ),
        );
        expect(both.filter(({ isNew }) => isNew)).toHaveLength(1);
        return Promise.all(both.map((run) => textOf(run)));
      }),
    );
    expect(produced).toBe(20);
    expect(texts.flat()).toEqual(Array(40).fill({ text: whole, end: 'done' }));
    await until(() => expect(saved.toSorted()).toEqual(ids.toSorted()));
    const [one, two] = nodes as [Node, Node];
    const source = handSource();
    const run = await one.runs.start({ chat: 'c', id: 'stopped' }, () => source);
    await until(async () => expect((await two.runs.find('c', 'stopped'))?.status).toBe('running'));
    await (await two.runs.find('c', 'stopped'))?.stop();
    expect(await run.ended()).toMatchObject({ status: 'stopped' });
    expect(source.isLeft).toBe(true);
  });
});
