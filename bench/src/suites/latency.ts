import { costsAt, isSustained, runAt, searchMaximum } from '../harness/maximum.ts';
import { onStage } from '../harness/stage.ts';
import { sendLoop, subjects } from '../subjects/index.ts';
import type { Bench, Suite } from '../harness/suite.ts';

const SIZE = 100;
/** Events a second that everybody can do, to begin with. */
const FIRST_GUESS = 32;
/** Events a second to a hub that has nothing else to do. */
const IDLE_RATE = 50;

/** How long an event takes without time pressure: at a rate that all can sustain, and without other load. */
export const latency: Suite = {
  name: 'latency',
  about:
    'From publish to receipt, over all deliveries: at half of the highest rate that the slowest subject sustains ' +
    `(see burst), and with one connection and an event each ${1000 / IDLE_RATE} ms.`,
  reference: { subject: sendLoop.name },
  async run(bench) {
    const connections = bench.pick(1000, 20);
    const rate = bench.pick(true, false) ? (await findSlowest(bench, connections)) / 2 : 20;
    await measureAt(bench, connections, rate);
    await measureAt(bench, 1, IDLE_RATE);
  },
};

async function measureAt(bench: Bench, connections: number, rate: number): Promise<void> {
  const load = { connections, size: SIZE, batch: 1 };
  for (const subject of bench.rounds(subjects)) {
    await onStage(subject, { connections }, async (stage) => {
      const params = { connections, 'events/s': Math.round(rate) };
      bench.record(subject.name, params, await costsAt(bench, stage, load, rate));
    });
  }
}

/** In one run: it only has to be a rate that all can do with ease. */
async function findSlowest(bench: Bench, connections: number): Promise<number> {
  const load = { connections, size: SIZE, batch: 1 };
  let slowest = Infinity;
  for (const subject of bench.rounds(subjects, 1)) {
    await onStage(subject, { connections }, async (stage) => {
      await runAt(stage, load, FIRST_GUESS, 2);
      if (slowest < Infinity && isSustained(await runAt(stage, load, slowest, 2))) return;
      slowest = await searchMaximum(stage, load, Math.min(slowest, FIRST_GUESS));
    });
  }
  return slowest;
}
