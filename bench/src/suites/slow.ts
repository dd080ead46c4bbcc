import { setTimeout as sleep } from 'node:timers/promises';
import type { Counts } from '../harness/load/client.ts';
import { type Stage, measure, onStage } from '../harness/stage.ts';
import { tidings } from '../subjects/index.ts';
import type { Bench, Suite } from '../harness/suite.ts';

const RATE = 500;
const SIZE = 1000;
const MIB = 1_048_576;

/** Readers that stop reading, together with readers that don't. */
export const slow: Suite = {
  name: 'slow',
  about:
    `${RATE} events of ${SIZE} bytes a second to readers, with others that have stopped reading or without, ` +
    'measured at the same age of the server, once the kernel’s buffers are full. Memory is what the hub has besides ' +
    'the log. Then the stalled ones read on, and have to get every event, in order. Ratios are to no stalled readers.',
  reference: { params: { stalled: 0 } },
  async run(bench) {
    const readers = bench.pick(100, 10);
    const cases = [0, readers].map((stalled) => ({ ...tidings, stalled }));
    for (const { stalled, ...subject } of bench.rounds(cases)) {
      await onStage(subject, { connections: readers, args: ['large-log'] }, async (stage) => {
        bench.record(subject.name, { readers, stalled }, await measureBeside(bench, stage, stalled));
      });
    }
  },
};

async function measureBeside(bench: Bench, stage: Stage, stalled: number) {
  const { server, load } = stage;
  const times = bench.pick({ warmUp: 2, fill: 20, beside: 20 }, { warmUp: 0.1, fill: 1, beside: 1 });
  const count = RATE * (times.warmUp + times.fill + 1 + times.beside);
  const published = server.publish({ count, rate: RATE, size: SIZE }, 300_000);
  const window = async (seconds: number): Promise<Counts> => {
    await load.reset();
    await sleep(seconds * 1000);
    return load.report();
  };
  await window(times.warmUp);
  const { port, path } = server;
  await load.open({ port, path, count: stalled, group: 'stalled', stalled: true, ordered: true });
  // Until the kernel's buffers are full, a stalled reader costs as much as one that reads.
  await window(times.fill);
  const before = await server.ask<Weight>('weigh');
  // Garbage that waits for collection is not counted.
  await window(1);
  let beside = await load.report();
  const spent = await measure(stage, async () => {
    beside = await window(times.beside);
  });
  const after = await server.ask<Weight>('weigh');
  await published;
  if (stalled > 0) await readOn(stage, count);
  return {
    'latency p50': ['ms', beside.p50],
    'latency p99': ['ms', beside.p99],
    'memory growth': ['MiB', (after.own - before.own) / MIB],
    'log growth': ['MiB', (after.log - before.log) / MIB],
    behind: ['connections', after.behind],
    'client cpu': ['%', spent.clientPercent],
  } as const;
}

interface Weight {
  readonly own: number;
  readonly log: number;
  readonly behind: number;
}

async function readOn({ load }: Stage, newest: number): Promise<void> {
  await load.resume('stalled');
  const deadline = performance.now() + 60_000;
  for (;;) {
    const { reached, broken } = await load.report('stalled');
    if (broken > 0) throw new Error(`${broken} stalled readers got an event out of order, or missed one.`);
    if (reached === newest) return;
    if (performance.now() > deadline)
      throw new Error(`A stalled reader got to event ${reached} of ${newest}.`);
    await sleep(50);
  }
}
