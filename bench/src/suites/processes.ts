import { makeFolder, removeFolder } from '../harness/folders.ts';
import { BEARABLE_MS, costsAt, sustain, toMetrics, tryOnce } from '../harness/maximum.ts';
import { type Stage, onStage } from '../harness/stage.ts';
import { type Subject, nodeSubject } from '../harness/subject.ts';
import type { Bench, Suite } from '../harness/suite.ts';

const SIZE = 100;
const BATCH = 8;
/** Events a second that leave room to all, the load client too. */
const EASY_RATE = 50;

const script = 'subjects/processes.js';
const reference = nodeSubject('one process, first core', script, ['workers=1']);
const subjects = [
  reference,
  nodeSubject('one process, both cores', script, ['workers=1'], 'both'),
  nodeSubject('two processes, both cores', script, ['workers=2'], 'both'),
];

/** The gain of a second process on the same log, and the cost of the way through the log. */
export const processes: Suite = {
  name: 'processes',
  about:
    'Workers of `node:cluster` on one port and one LMDB log with `shared`; one of them publishes, all push. As in burst, ' +
    `the highest rate of ${SIZE}-byte events with 99 % of the deliveries within ${BEARABLE_MS} ms, where the load ` +
    'client leaves room: it stays on the second core, which those on both cores share with it; near 100 %, it is what ' +
    'limits. Server CPU is that of ' +
    `all processes, of one delivery. Then an event each ${1000 / EASY_RATE} ms, also to a single connection: it is ` +
    'published in another process than has it if there are two.',
  reference: { subject: reference.name },
  async run(bench) {
    const connections = bench.pick(1000, 20);
    await measureBurst(bench, connections);
    for (const count of [connections, 1]) await measureEasy(bench, count);
  },
};

async function measureBurst(bench: Bench, connections: number): Promise<void> {
  const burst = { connections, size: SIZE, batch: BATCH };
  const maxima = new Map<string, number>();
  for (const subject of bench.rounds(subjects)) {
    await onLog(subject, connections, async (stage) => {
      const busiest = await stage.server.ask<number>('busiest');
      const result = await bench.pick(sustain, tryOnce)(stage, burst, maxima.get(subject.name));
      maxima.set(subject.name, result.rate);
      bench.record(
        subject.name,
        { connections, batch: BATCH },
        { ...toMetrics(result), 'busiest worker': ['connections', busiest] },
      );
    });
  }
}

async function measureEasy(bench: Bench, connections: number): Promise<void> {
  const burst = { connections, size: SIZE, batch: 1 };
  for (const subject of bench.rounds(subjects)) {
    await onLog(subject, connections, async (stage) => {
      const params = { connections, 'events/s': EASY_RATE };
      bench.record(subject.name, params, await costsAt(bench, stage, burst, EASY_RATE));
    });
  }
}

/** On stage with an empty log. */
async function onLog(
  subject: Subject,
  connections: number,
  work: (stage: Stage) => Promise<void>,
): Promise<void> {
  const folder = makeFolder();
  try {
    await onStage(subject, { connections, args: [`lmdb=${folder}`] }, work);
  } finally {
    removeFolder(folder);
  }
}
