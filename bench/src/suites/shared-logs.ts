import { get } from 'node:http';
import { type Child, startNode, until } from '../harness/child.ts';
import { type Engine, hasPostgres, hasRedis, startPostgres, startRedis } from '../harness/engines.ts';
import type { Bench, Candidate, Metrics, Suite } from '../harness/suite.ts';
import type { NodeCase, PublishLoad, PublishResult } from '../subjects/workers/node.ts';

interface SharedLog extends Candidate {
  readonly engine: NodeCase['engine'];
  start(): Promise<Engine>;
}

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
  {
    name: 'tidings, Redis',
    engine: 'redis',
    start: startRedis,
    ...(!hasRedis && { missing: 'there is no redis-server' }),
  },
]);

const noPostgres = hasPostgres ? {} : { missing: 'there is no PostgreSQL' };
export const postgres: Suite = suite('postgres', 'PostgreSQL, whose commits wait for the disk or don’t', [
  { name: 'tidings, PostgreSQL', engine: 'postgres', start: () => startPostgres(), ...noPostgres },
  {
    name: 'tidings, PostgreSQL, synchronous_commit = off',
    engine: 'postgres',
    start: () => startPostgres('synchronous_commit=off'),
    ...noPostgres,
  },
]);

function suite(name: Suite['name'], engine: string, logs: readonly SharedLog[]): Suite {
  return {
    name,
    about:
      `Two nodes share a log in ${engine}; engine, nodes and load share both cores. One node publishes events of 100 bytes, as ` +
      'many in a call and as many calls at once as given, and the other one follows and has one connection. Then single events, ' +
      `one each ${PAUSE} ms: until the publisher is answered, and until the other node’s client has it. Bytes in the engine are ` +
      'those of its memory, or of its tables with their indexes.',
    async run(bench) {
      for (const log of bench.rounds(logs)) await measure(bench, log);
    },
  };
}

async function measure(bench: Bench, { name, engine, start }: SharedLog): Promise<void> {
  const server = await start();
  const nodes = [0, 1].map((i) => startNode(`node ${i}`, 'subjects/workers/node.js', 'both'));
  try {
    const ports = await Promise.all(
      nodes.map((node) => node.ask<number>('listen', { engine, url: server.url })),
    );
    const [publisher] = nodes as [Child];
    const reader = await connectTo(ports[1] ?? 0);
    bench.record(
      name,
      { load: 'one each 20 ms' },
      await measureSingle(publisher, reader, bench.pick(300, 5)),
    );
    const before = await publisher.ask<number>('size');
    let events = 0;
    for (const load of LOADS) {
      const wanted: PublishLoad = { ...load, seconds: bench.pick(5, 0.2) };
      const { rate, acknowledged } = await publisher.ask<PublishResult>('publish', wanted);
      events += acknowledged.length * load.group;
      const { group, inFlight } = load;
      const metrics = { appended: ['events/s', rate] as const, ...quantiles('acknowledged', acknowledged) };
      bench.record(name, { load: `groups of ${group}, ${inFlight} at once` }, metrics);
    }
    const size = await publisher.ask<number>('size');
    bench.record(name, { load: 'all' }, { 'in the engine': ['bytes/event', (size - before) / events] });
    reader.close();
  } finally {
    for (const node of nodes) await node.stop();
    await server.stop();
  }
}

async function measureSingle(publisher: Child, reader: Reader, count: number): Promise<Metrics> {
  const acknowledged: number[] = [];
  const before = reader.delays.length;
  for (let i = 0; i < count; i += 1) {
    acknowledged.push(await publisher.ask<number>('publishOne'));
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  await until('all have arrived', () => reader.delays.length >= before + count);
  return {
    ...quantiles('acknowledged', acknowledged),
    ...quantiles('received', reader.delays.slice(before)),
  };
}

function quantiles(name: string, values: readonly number[]): Metrics {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return { [`${name}, p50`]: ['ms', at(0.5)], [`${name}, p99`]: ['ms', at(0.99)] };
}

interface Reader {
  /** Milliseconds from `publish` until the event was here. */
  readonly delays: readonly number[];
  close(): void;
}

function connectTo(port: number): Promise<Reader> {
  const delays: number[] = [];
  return new Promise((resolve, reject) => {
    const request = get({ port, host: '127.0.0.1', path: '/?topic=bench' }, (response) => {
      let rest = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        const now = process.hrtime.bigint();
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const sent = /^data: ?sent (\d+)/.exec(line)?.[1];
          if (sent !== undefined) delays.push(Number(now - BigInt(sent)) / 1e6);
        }
      });
      // Closing it ends the response, too.
      response.on('error', () => undefined);
      resolve({ delays, close: () => request.destroy() });
    });
    request.on('error', reject);
  });
}
