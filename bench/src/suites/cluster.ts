import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../harness/child.ts';
import { type Pair, startPostgresPair, startRedisPair } from '../harness/pairs.ts';
import type { Bench, Candidate, Metrics, Suite } from '../harness/suite.ts';
import { cpuTime } from '../harness/usage.ts';
import {
  type ClusterSubject,
  type TidingsNode,
  centrifugo,
  onPostgres,
  onRedis,
  socketIo,
} from '../subjects/cluster-nodes.ts';
import { measureLoad, measureSingle, measureSize, onNodes } from './shared-logs.ts';

/** Milliseconds from one group to the next, at a rate that all can follow. */
const EVERY = 50;
const GROUP = 100;

/** The cost of further nodes, and the time until they go on after the engine has failed. */
export const cluster: Suite = {
  name: 'cluster',
  about:
    'Nodes that share Redis, its append-only file written every second, or PostgreSQL, whose commits wait for the disk; engine, ' +
    'nodes and load share both cores. One node publishes events of 100 bytes; the last one has one connection. Single events, one each ' +
    `20 ms; groups of ${GROUP}, one each ${EVERY} ms; groups of 10, 8 at once, as fast as they go. CPU is that of one event: in the engine, and ` +
    'in a node that follows, on average over all that do. Recovery is the time from killing the engine until a client of the other node has an ' +
    'event that was published since: the engine starts again, or its replica takes over.',
  async run(bench) {
    for (const count of bench.pick([1, 2, 4], [2])) {
      const peers = [socketIo, centrifugo];
      for (const subject of bench.rounds<ClusterSubject>([onRedis, onPostgres, ...peers]))
        await measureNodes(bench, subject, count);
    }
    for (const subject of bench.rounds([onRedis, onPostgres])) await measureMemory(bench, subject);
    for (const subject of bench.rounds(failing)) await measureRecovery(bench, subject);
  },
};

async function measureNodes(bench: Bench, subject: ClusterSubject, count: number): Promise<void> {
  await onNodes(subject, count, async (nodes, engine) => {
    const [publisher] = nodes;
    const last = nodes.at(-1);
    if (publisher === undefined || last === undefined) return;
    const followers = nodes.slice(1);
    const reader = await last.connect();
    const costs = async (load: string, work: () => Promise<Metrics>, events: () => number): Promise<void> => {
      const before = [engine, publisher, ...followers].map(({ pid }) => cpuTime(pid));
      const metrics = await work();
      const spent = [engine, publisher, ...followers].map(({ pid }, i) => cpuTime(pid) - (before[i] ?? 0));
      const [ofEngine = 0, ofPublisher = 0, ...ofFollowers] = spent.map((cpu) => cpu / 1000 / events());
      const ofFollower = ofFollowers.reduce((sum, cpu) => sum + cpu, 0) / ofFollowers.length;
      bench.record(
        subject.name,
        { nodes: count, load },
        {
          ...metrics,
          'engine cpu': ['µs/event', ofEngine],
          'publisher cpu': ['µs/event', ofPublisher],
          // Without any it is NaN, and left out.
          'follower cpu': ['µs/event', ofFollower],
        },
      );
    };
    const singles = bench.pick(300, 5);
    await costs(
      'one each 20 ms',
      () => measureSingle(publisher, reader, singles),
      () => singles,
    );
    const seconds = bench.pick(5, 0.2);
    let before = reader.count;
    const published = (): number => reader.count - before;
    const paced = { group: GROUP, inFlight: 1, every: EVERY, seconds };
    await costs(
      `groups of ${GROUP}, one each ${EVERY} ms`,
      () => measureLoad(publisher, reader, paced),
      published,
    );
    before = reader.count;
    const fast = { group: 10, inFlight: 8, seconds };
    await costs('groups of 10, 8 at once', () => measureLoad(publisher, reader, fast), published);
    reader.close();
  });
}

async function measureMemory(bench: Bench, subject: ClusterSubject<TidingsNode>): Promise<void> {
  await onNodes(subject, 1, async ([node]) => {
    if (node === undefined) return;
    const events = bench.pick(50_000, 1000);
    bench.record(
      subject.name,
      { size: 100 },
      { 'in the engine': ['B/event', await measureSize(node, events)] },
    );
  });
}

interface Failing extends Candidate {
  readonly of: ClusterSubject<TidingsNode>;
  startPair(): Promise<Pair>;
}

const failing: readonly Failing[] = [
  { ...onRedis, of: onRedis, startPair: startRedisPair },
  { ...onPostgres, of: onPostgres, startPair: startPostgresPair },
];

async function measureRecovery(bench: Bench, { name, of, startPair }: Failing): Promise<void> {
  const pair = await startPair();
  const nodes: TidingsNode[] = [];
  try {
    for (let i = 0; i < 2; i += 1) nodes.push(await of.startNode(pair.url));
    const [publisher, other] = nodes;
    if (publisher === undefined || other === undefined) return;
    const reader = await other.connect();
    // A failover comes last, since it leaves no replica.
    for (const [fault, mend] of [
      ['engine restarted', pair.start],
      ['failover to the replica', pair.promote],
    ] as const) {
      await pair.follow();
      await publisher.publishAtLast();
      await sleep(bench.pick(2000, 100));
      const before = reader.delays.length;
      const start = performance.now();
      await pair.kill();
      const mended = mend().then(() => performance.now() - start);
      await publisher.publishAtLast();
      await until('the other node’s client has it', () => reader.delays.length > before);
      const recovered = performance.now() - start;
      bench.record(name, { fault }, { recovered: ['ms', recovered], 'engine away': ['ms', await mended] });
    }
    reader.close();
  } finally {
    for (const node of nodes) await node.stop();
    await pair.stop();
  }
}
