import { BEARABLE_MS, costsAt } from '../harness/maximum.ts';
import { onStage } from '../harness/stage.ts';
import type { Bench, Suite } from '../harness/suite.ts';
import { sendLoop, serverSubjects } from '../subjects/index.ts';
import { measureBurst } from './burst.ts';
import { measureIdle } from './memory.ts';

const SIZE = 100;
/** Deliveries a second, the same for all: about half of what the slowest does with 10,000 connections. */
const PACE = 20_000;

/** `tidings serve` among other programs that one POSTs to. */
export const server: Suite = {
  name: 'server',
  about:
    `Programs that get their events by POST, on connections that stay open, and push them. Events of ${SIZE} bytes at ` +
    `${PACE} deliveries a second; latency is from before the POST to receipt, and server CPU includes the POST. Then the ` +
    `highest rate with 99 % of the deliveries within ${BEARABLE_MS} ms, with \`batch\` events at once: in one request ` +
    'where the program takes several, else side by side. Then the memory of an idle connection.',
  reference: { subject: sendLoop.name },
  async run(bench) {
    for (const connections of bench.connections([100, 10_000], [20])) {
      for (const subject of bench.rounds(serverSubjects)) {
        await onStage(subject, { connections }, async (stage) => {
          const burst = { connections, size: SIZE, batch: 1 };
          bench.record(subject.name, { connections }, await costsAt(bench, stage, burst, PACE / connections));
        });
      }
    }
    await measureBurst(bench, serverSubjects);
    await measureMemory(bench, bench.pick(10_000, 100));
  },
};

async function measureMemory(bench: Bench, connections: number): Promise<void> {
  for (const subject of bench.rounds(serverSubjects)) {
    // Some come and go first, to exclude code that is loaded and compiled once.
    await onStage(subject, { connections: bench.pick(200, 10) }, async (stage) => {
      const metrics = await measureIdle(bench, stage, connections, false);
      bench.record(subject.name, { 'idle connections': connections }, metrics);
    });
  }
}
