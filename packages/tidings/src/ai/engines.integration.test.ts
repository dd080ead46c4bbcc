import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@redis/client';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { DEADLINE } from '../../../../scripts/deadline.ts';
import { handSource } from '../../test/ai-source.ts';
import { type PostgresServer, hasPostgres, startPostgres } from '../../test/engines/postgres.ts';
import { type RedisServer, hasRedis, startRedis } from '../../test/engines/redis.ts';
import { type EventLog, createHub } from '../../test/internals.ts';
import { lmdbLog } from '../logs/lmdb/index.ts';
import { postgresLog } from '../logs/postgres/index.ts';
import { redisLog } from '../logs/redis/index.ts';
import { type Run, type Runs, type RunsOptions, createRuns, rawChunks } from './index.ts';

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
  const runs = createRuns(hub, { lease: 4000, onError: () => {}, ...options });
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

function textOfDeltas(count: number): string {
  return deltas(count)
    .map((each) => (each as { delta: string }).delta)
    .join('');
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
    const written = textOfDeltas(5);
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

  test('hand an answer over again, whole, if the process dies while onEnd works', async () => {
    const open = await prepare();
    let calls = 0;
    const onEnd = (): Promise<void> => {
      calls += 1;
      return new Promise(() => {});
    };
    const first = start(await open(), { onEnd });
    const run = await first.runs.start({ chat: 'c', id: '1' }, async function* produce() {
      yield* deltas(5);
    });
    expect(await run.ended()).toMatchObject({ status: 'done' });
    await until(() => expect(calls).toBe(1));
    await first.crash();
    const saved: string[] = [];
    const options: RunsOptions = {
      authorize: () => true,
      onEnd: ({ text, status }) => void saved.push(`${status}: ${text}`),
    };
    const second = start(await open(), options);
    await until(() => expect(saved).toEqual([`done: ${textOfDeltas(5)}`]));
    const follow = second.runs.follow(rawChunks, { chat: () => 'c' });
    await until(async () => expect((await follow(new Request('http://x/'))).status).toBe(204));
    // It is handed over: nobody else gets it.
    await second.crash();
    const third = start(await open(), options);
    expect((await third.runs.find('c'))?.status).toBe('done');
    expect(saved).toHaveLength(1);
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
    const whole = textOfDeltas(40);
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

describe.runIf(hasRedis)('a Redis that goes away in the middle of an answer', () => {
  const chunks = deltas(60);
  const whole = textOfDeltas(60);

  /** A run with a viewer who has half of it, and a Redis of its own. */
  async function begin(timeout: number, keeps: 'the run' | 'the beginning of the run' | 'the empty log') {
    const server = await startRedis();
    closers.push(() => server.stop());
    /** Writes down what a Redis that is started again will have. */
    const keep = async (): Promise<void> => {
      const client = await createClient({ url: server.url }).connect();
      await client.sendCommand(['SAVE']);
      client.destroy();
    };
    const saved: string[] = [];
    const open = (): Promise<EventLog> => redisLog({ url: server.url, timeout });
    const options: RunsOptions = {
      lease: 60_000,
      mergeWindow: 0,
      onEnd: ({ status, text }) => void saved.push(`${status}: ${text}`),
    };
    const { runs } = start(await open(), options);
    if (keeps === 'the empty log') await keep();
    const source = handSource();
    const run = await runs.start({ chat: 'c', id: '1' }, () => source);
    let seen = '';
    const viewer = (async () => {
      for await (const item of run.items()) {
        if (item.kind !== 'chunks') return item.kind === 'end' ? item.record.status : item.kind;
        seen += item.batch.chunks.map((chunk) => (chunk as { delta: string }).delta).join('');
      }
      return 'cut off';
    })();
    const send = async (from: number, to: number): Promise<void> => {
      source.push(...chunks.slice(from, to));
      await until(() => expect(seen).toBe(textOfDeltas(to)));
    };
    await send(0, 10);
    if (keeps === 'the beginning of the run') await keep();
    for (let to = 12; to <= 30; to += 2) await send(to - 2, to);
    if (keeps === 'the run') await keep();
    return { server, open, source, send, run, viewer, saved, seen: () => seen };
  }

  test.each(['the run', 'the beginning of the run', 'the empty log'] as const)(
    'costs nothing if it is back in time with %s',
    async (keeps) => {
      const { server, open, source, send, run, viewer, saved } = await begin(DEADLINE, keeps);
      await server.kill();
      source.push(...chunks.slice(30, 45));
      await server.start();
      await send(45, 60);
      source.finish();
      expect(await viewer).toBe('done');
      const late = start(await open(), { lease: 60_000 });
      const found = (await late.runs.find('c')) as Run;
      for (const each of [run, found]) expect(await textOf(each)).toEqual({ text: whole, end: 'done' });
      await until(() => expect(saved).toEqual([`done: ${whole}`]));
    },
  );

  test('makes it fail if it stays away for longer than the log waits, which every viewer is told', async () => {
    // Long enough for a busy machine that writes a copy to its disk.
    const { server, source, viewer, run, saved, seen } = await begin(5_000, 'the run');
    await server.kill();
    source.push(...chunks.slice(30, 45));
    await until(() => expect(source.isLeft).toBe(true));
    await server.start();
    expect(await viewer).toBe('failed');
    const { text, end } = await textOf(run);
    expect([end, whole.startsWith(text), text.startsWith(seen())]).toEqual(['failed', true, true]);
    await until(() => expect(saved).toEqual([`failed: ${text}`]));
  });
});
