import { until } from '../harness/child.ts';
import type { EventReader } from '../harness/event-reader.ts';
import type { Bench, Metrics, Suite } from '../harness/suite.ts';
import {
  type ClusterNode,
  type ClusterSubject,
  type TidingsNode,
  centrifugo,
  onPostgres,
  onRedis,
  onRelaxedPostgres,
  socketIo,
} from '../subjects/cluster-nodes.ts';
import type { PublishLoad } from '../subjects/workers/load-publisher.ts';

const LOADS = [
  { group: 1, inFlight: 1 },
  { group: 1, inFlight: 100 },
  { group: 10, inFlight: 8 },
  { group: 1000, inFlight: 1 },
  { group: 1000, inFlight: 4 },
];
/** Milliseconds between single events, which leave room to all. */
const PAUSE = 20;

export const redis: Suite = suite('redis', 'Redis with its append-only file written every second', [
  onRedis,
  socketIo,
  centrifugo,
]);

export const postgres: Suite = suite('postgres', 'PostgreSQL, whose commits wait for the disk or don’t', [
  onPostgres,
  onRelaxedPostgres,
]);

function suite(name: Suite['name'], engine: string, subjects: readonly ClusterSubject[]): Suite {
  return {
    name,
    about:
      `Two nodes share ${engine}; engine, nodes and load share both cores. One node publishes events of 100 bytes, as ` +
      'many in a call and as many calls at once as given, and the other one has one connection. Events a second are counted ' +
      'until the last one has arrived there. Then single events, ' +
      `one each ${PAUSE} ms: until the publisher is answered, and until the other node’s client has it.`,
    ...(name === 'redis' && { reference: { subject: onRedis.name } }),
    async run(bench) {
      for (const subject of bench.rounds(subjects)) await measure(bench, subject);
    },
  };
}

async function measure(bench: Bench, subject: ClusterSubject): Promise<void> {
  const { name } = subject;
  await onNodes(subject, 2, async ([publisher, other]) => {
    if (publisher === undefined || other === undefined) return;
    const reader = await other.connect();
    const single = await measureSingle(publisher, reader, bench.pick(300, 5));
    bench.record(name, { load: `one each ${PAUSE} ms` }, single);
    for (const load of LOADS) {
      const { group, inFlight } = load;
      const result = await measureLoad(publisher, reader, { ...load, seconds: bench.pick(5, 0.2) });
      bench.record(name, { load: `groups of ${group}, ${inFlight} at once` }, result);
    }
    reader.close();
  });
}

/** Events of a round: a little less than all subjects keep. */
const ROUND = 90_000;

/** Starts an engine and so many nodes, and leaves nothing behind. */
export async function onNodes<Node extends ClusterNode>(
  { startEngine, startNode }: ClusterSubject<Node>,
  count: number,
  work: (nodes: readonly Node[], engine: { readonly pid: number }) => Promise<void>,
): Promise<void> {
  const engine = await startEngine();
  const nodes: Node[] = [];
  try {
    for (let i = 0; i < count; i += 1) nodes.push(await startNode(engine.url));
    await work(nodes, engine);
  } finally {
    for (const node of nodes) await node.stop();
    await engine.stop();
  }
}

/** One event each 20 ms. */
export async function measureSingle(
  publisher: ClusterNode,
  reader: EventReader,
  count: number,
): Promise<Metrics> {
  const acknowledged: number[] = [];
  const before = reader.delays.length;
  for (let i = 0; i < count; i += 1) {
    acknowledged.push(await publisher.publishOne());
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  await until('all have arrived', () => reader.delays.length >= before + count);
  return {
    ...quantiles('acknowledged', acknowledged),
    ...quantiles('received', reader.delays.slice(before)),
  };
}

/** In rounds, each until the reader has all that was published: it could fall behind what the log keeps. */
export async function measureLoad(
  publisher: ClusterNode,
  reader: EventReader,
  load: PublishLoad,
): Promise<Metrics> {
  const start = performance.now();
  const secondsSince = (): number => (performance.now() - start) / 1000;
  const acknowledged: number[] = [];
  let events = 0;
  let publishing = 0;
  while (secondsSince() < load.seconds) {
    const before = reader.count;
    const left = load.seconds - secondsSince();
    const round = await publisher.publish({ ...load, seconds: left, most: ROUND });
    await until('all have arrived', () => reader.count >= before + round.events);
    events += round.events;
    publishing += round.events / round.rate;
    for (const each of round.acknowledged) acknowledged.push(each);
  }
  return {
    appended: ['events/s', events / publishing],
    delivered: ['events/s', events / secondsSince()],
    ...quantiles('acknowledged', acknowledged),
  };
}

/** Bytes of an event of 100 bytes in the engine: in its memory, or in tables with their indexes. `events`: fewer than the log keeps. */
export async function measureSize(node: TidingsNode, events: number): Promise<number> {
  const before = await node.size();
  const { events: published } = await node.publish({ group: 100, inFlight: 1, seconds: 3600, most: events });
  return ((await node.size()) - before) / published;
}

function quantiles(name: string, values: readonly number[]): Metrics {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return { [`${name} p50`]: ['ms', at(0.5)], [`${name} p99`]: ['ms', at(0.99)] };
}
