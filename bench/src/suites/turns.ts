import { setTimeout as sleep } from 'node:timers/promises';
import { openChanger } from '../harness/changer.ts';
import { makeFolder, removeFolder } from '../harness/folders.ts';
import { type Stage, measure, onStage, untilConnected } from '../harness/stage.ts';
import { nodeSubject } from '../harness/subject.ts';
import type { Bench, Suite } from '../harness/suite.ts';
import type { Filling } from '../subjects/turns.ts';

const subject = nodeSubject('tidings', 'subjects/turns.js');
const TIMEOUT = 600_000;
/** How often each request is made: for the longest turn, and again for the CPU. */
const REQUESTS = 10;
/** Topics that are published to around a change of patterns. */
const BUSY_TOPICS = 1000;

const patternsOf = (make: (n: number) => string): string =>
  Array.from({ length: 100 }, (_, n) => `pattern=${encodeURIComponent(make(n))}`).join('&');

interface Case {
  readonly name: string;
  readonly kind: Filling['kind'];
  readonly query: string;
}

/** Requests of at most a few KB that make a hub look at everything it has, or send it. */
const cases: readonly Case[] = [
  {
    name: '100 patterns *xN, earliest',
    kind: 'topics',
    query: `${patternsOf((n) => `*x${n}`)}&last_event_id=earliest`,
  },
  {
    name: '100 patterns :a/:b/xN, earliest',
    kind: 'topics',
    query: `${patternsOf((n) => `:a/:b/x${n}`)}&last_event_id=earliest`,
  },
  { name: 'pattern *x, no cursor', kind: 'topics', query: 'pattern=*x' },
  { name: 'all states', kind: 'states', query: 'topic=board' },
  { name: 'all events, earliest', kind: 'events', query: 'topic=bench&last_event_id=earliest' },
];

/** Whether a hub leaves its app's requests their turn, whatever clients ask of it. */
export const turns: Suite = {
  name: 'turns',
  about:
    'The longest turn of the event loop, and the CPU of one request, from the connect until it has all it asked for, by ' +
    `what is in the log: the longest of ${REQUESTS} requests one after another, and of as many ms of an idle hub, in ` +
    'which the garbage collector has its part. Then, while one event goes to all ' +
    `connections; and while ${BUSY_TOPICS} topics are published to after a client has changed its patterns.`,
  async run(bench) {
    for (const size of bench.pick([1000, 10_000, 100_000], [100])) {
      for (const each of cases) {
        for (const log of ['memory', 'LMDB'] as const) await measureRequests(bench, each, log, size);
      }
    }
    for (const connections of bench.connections([1000, 10_000], [10])) await measureFlush(bench, connections);
    await measureChanges(bench);
  },
};

async function measureRequests(
  bench: Bench,
  wanted: Case,
  log: 'memory' | 'LMDB',
  size: number,
): Promise<void> {
  const { name, kind, query } = wanted;
  for (const _ of bench.rounds([subject])) {
    const folder = log === 'LMDB' ? makeFolder() : undefined;
    const args = folder === undefined ? [] : [`lmdb=${folder}`];
    try {
      await onStage(subject, { connections: 0, args }, async (stage) => {
        await stage.server.ask('fill', { kind, size } satisfies Filling, TIMEOUT);
        // The first one compiles the code that all of them run.
        await request(stage, query);
        const took = performance.now();
        const longest = await longestTurn(stage, () => requestAll(bench, stage, query));
        const idle = await longestTurn(stage, () => sleep(performance.now() - took));
        const { cpuNanoseconds } = await measure(stage, () => requestAll(bench, stage, query));
        const requests = bench.pick(REQUESTS, 2);
        bench.record(
          subject.name,
          { case: name, log, size },
          {
            'longest turn': ['ms', longest],
            idle: ['ms', idle],
            'server cpu': ['ms', cpuNanoseconds / 1e6 / requests],
          },
        );
      });
    } finally {
      if (folder !== undefined) removeFolder(folder);
    }
  }
}

async function requestAll(bench: Bench, stage: Stage, query: string): Promise<void> {
  for (let i = 0; i < bench.pick(REQUESTS, 2); i += 1) await request(stage, query);
}

/** Connects, waits until the connection has everything, and leaves. */
async function request({ server, load }: Stage, query: string): Promise<void> {
  await load.open({ port: server.port, path: `/events?${query}`, count: 1 });
  await untilConnected(server, 1, TIMEOUT);
  await load.close();
  await untilConnected(server, 0, TIMEOUT);
}

async function longestTurn({ server }: Stage, work: () => Promise<unknown>): Promise<number> {
  await server.ask('watch');
  await work();
  return server.ask<number>('longestTurn', {}, TIMEOUT);
}

async function measureFlush(bench: Bench, connections: number): Promise<void> {
  for (const _ of bench.rounds([subject])) {
    await onStage(subject, { connections }, async (stage) => {
      const { server, load } = stage;
      const publish = async (): Promise<void> => {
        await load.reset();
        const events = bench.pick(20, 2);
        for (let sent = 1; sent <= events; sent += 1) {
          await server.publish({ count: 1, rate: 1, size: 100 });
          await load.expect(sent);
        }
      };
      await publish();
      const longest = await longestTurn(stage, publish);
      bench.record(
        subject.name,
        { case: 'one event to all', connections },
        { 'longest turn': ['ms', longest] },
      );
    });
  }
}

/** A stranger adds and drops a pattern again and again, while the app publishes to many topics. */
async function measureChanges(bench: Bench): Promise<void> {
  for (const patterns of bench.pick([0, 1000, 10_000], [0, 10])) {
    for (const _ of bench.rounds([subject])) {
      await onStage(subject, { connections: 0 }, async (stage) => {
        const { server, load } = stage;
        const { port } = server;
        if (patterns > 0) {
          await load.open(
            { port, path: '/events?pattern=*no{n}', count: patterns, topics: patterns },
            TIMEOUT,
          );
        }
        const changer = await openChanger(port);
        try {
          const round = async (): Promise<void> => {
            for (let i = 0; i < bench.pick(20, 2); i += 1) {
              await changer.change(i % 2 === 0 ? { add: ['*u'] } : { drop: ['*u'] });
              await server.ask('publishTo', { topics: bench.pick(BUSY_TOPICS, 10) });
            }
          };
          await round();
          const longest = await longestTurn(stage, round);
          bench.record(
            subject.name,
            { case: 'patterns change', patterns },
            { 'longest turn': ['ms', longest] },
          );
        } finally {
          changer.close();
        }
      });
    }
  }
}
