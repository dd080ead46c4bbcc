import { type CheckReader, openCheckReader } from '../harness/check-reader.ts';
import { until } from '../harness/child.ts';
import type { Load } from '../harness/load.ts';
import type { Counts } from '../harness/load/client.ts';
import { type Stage, measure, onStage, untilConnected } from '../harness/stage.ts';
import { nodeSubject } from '../harness/subject.ts';
import type { Bench, Suite } from '../harness/suite.ts';
import { residentBytes } from '../harness/usage.ts';

const MIB = 1_048_576;
/** Events a second: few enough for a compression of each event for each connection. */
const RATE = 2;
const TIMEOUT = 120_000;
/** All has come if all connections have the same, and nothing has come for so many looks, each 20 ms after the one before. */
const QUIET = 10;

const reference = nodeSubject('tidings, no compression', 'subjects/tidings.js');
const subjects = [
  { ...reference, coding: undefined },
  { ...nodeSubject('tidings, gzip once per flush', 'subjects/tidings.js', ['gzip']), coding: 'gzip' },
  { ...nodeSubject('gzip per connection (Express)', 'subjects/res-write-gzip.js'), coding: 'gzip' },
];

/** The bytes that compression saves on the wire, and its cost, once for all or anew for each connection. */
export const compression: Suite = {
  name: 'compression',
  about:
    `JSON of \`size\` bytes or a little more, ${RATE} events a second, each flushed by itself. Bytes on the wire and server ` +
    'CPU are those of one delivery; resident memory is that of the whole server at the end. All connections have ' +
    'to get the same number of bytes, and one that is decoded each event.',
  reference: { subject: reference.name },
  async run(bench) {
    const connections = bench.pick(1000, 20);
    for (const size of [200, 2000, 20_000]) {
      for (const subject of bench.rounds(subjects)) {
        await onStage(subject, { connections, encoding: 'gzip' }, async (stage) => {
          const { port, path } = stage.server;
          const check = await openCheckReader(port, path);
          try {
            if (check.coding !== subject.coding) throw new Error(`Encoded with ${check.coding}.`);
            await untilConnected(stage.server, connections + 1);
            bench.record(subject.name, { connections, size }, await measureAt(bench, stage, check, size));
          } finally {
            check.close();
          }
        });
      }
    }
  },
};

async function measureAt(bench: Bench, stage: Stage, check: CheckReader, size: number) {
  const { server, load } = stage;
  const rate = bench.pick(RATE, RATE * 20);
  const connections = await server.connections();
  const send = async (count: number): Promise<Counts> => {
    const wanted = check.events() + count;
    await load.reset();
    await server.publish({ count, rate, size, json: true }, TIMEOUT);
    await until('an event decoded', () => check.events() >= wanted, TIMEOUT);
    const counts = await settle(load);
    if (check.events() !== wanted) throw new Error(`${check.events() - wanted} events too many.`);
    return counts;
  };
  await send(4);
  const events = bench.pick(12, 4);
  let counts = await load.report();
  const spent = await measure(stage, async () => {
    counts = await send(events);
  });
  return {
    'on the wire': ['B', counts.most / events],
    'server cpu': ['µs', spent.cpuNanoseconds / 1000 / (events * connections)],
    resident: ['MiB', residentBytes(server.pid) / MIB],
    'client cpu': ['%', spent.clientPercent],
  } as const;
}

/** Waits until each connection has the same number of bytes, and no more come. */
async function settle(load: Load): Promise<Counts> {
  let counts = await load.report();
  let quiet = 0;
  const isSettled = async (): Promise<boolean> => {
    const before = counts.received;
    counts = await load.report();
    quiet = counts.received === before ? quiet + 1 : 0;
    return quiet >= QUIET && counts.least === counts.most;
  };
  await until('no more bytes, and as many on each connection', isSettled, TIMEOUT).catch((cause: unknown) => {
    throw new Error(`Connections got ${counts.least} to ${counts.most} bytes.`, { cause });
  });
  return counts;
}
