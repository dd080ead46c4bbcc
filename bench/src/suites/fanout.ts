import { costsAt } from '../harness/maximum.ts';
import { type Stage, onStage } from '../harness/stage.ts';
import { sendLoop, subjects } from '../subjects/index.ts';
import type { Bench, Suite } from '../harness/suite.ts';

const SIZE = 100;
/** Deliveries a second, the same for all: a seventh of the floor's maximum, which the slowest subject can reach too. */
const PACE = 20_000;

/** The cost of one event in a write of its own, with no other event to join it. */
export const fanout: Suite = {
  name: 'fanout',
  about:
    `Events of ${SIZE} bytes, each in a write of its own to each connection, ${PACE} deliveries a second. ` +
    'Server CPU is that of one delivery; “back to back”: the next event once all have the last.',
  reference: { subject: sendLoop.name },
  async run(bench) {
    for (const connections of bench.connections([100, 1000, 10_000], [20])) {
      for (const subject of bench.rounds(subjects)) {
        await onStage(subject, { connections }, async (stage) => {
          const burst = { connections, size: SIZE, batch: 1 };
          const paced = await costsAt(bench, stage, burst, PACE / connections);
          const backToBack = await measureBackToBack(bench, stage, connections);
          bench.record(subject.name, { connections }, { ...paced, ...backToBack });
        });
      }
    }
  },
};

/**
 * Sends each event after all received the one before: no subject can put two together. Each also costs two messages
 * between processes, which would be most of it with few connections.
 */
async function measureBackToBack(bench: Bench, { server, load }: Stage, connections: number) {
  if (connections < bench.pick(1000, 1)) return {};
  const events = bench.pick(Math.max(10, 100_000 / connections), 5);
  await load.reset();
  const start = performance.now();
  for (let sent = 1; sent <= events; sent += 1) {
    await server.publish({ count: 1, rate: 1, size: SIZE });
    await load.expect(sent);
  }
  const seconds = (performance.now() - start) / 1000;
  return { 'back to back': ['deliveries/s', (events * connections) / seconds] } as const;
}
