import { BEARABLE_MS, sustain, toMetrics, tryOnce } from '../harness/maximum.ts';
import { onStage } from '../harness/stage.ts';
import { sendLoop, subjects } from '../subjects/index.ts';
import type { Subject } from '../harness/subject.ts';
import type { Bench, Suite } from '../harness/suite.ts';

const SIZE = 100;

/** Events that come too fast for a write each: subjects that can put several into one write do. */
export const burst: Suite = {
  name: 'burst',
  about:
    `The highest rate of ${SIZE}-byte events that is sustained for 5 s: 99 % of the deliveries within ` +
    `${BEARABLE_MS} ms, counted from when an event was due, none missing. \`batch\` events are published in one ` +
    'callback; with 1, each comes in by itself.',
  reference: { subject: sendLoop.name },
  run: (bench) => measureBurst(bench, subjects),
};

/** Records the highest rate of each subject. */
export async function measureBurst(bench: Bench, candidates: readonly Subject[]): Promise<void> {
  const connections = bench.pick(1000, 20);
  for (const batch of bench.pick([1, 8], [8])) {
    const maxima = new Map<string, number>();
    for (const subject of bench.rounds(candidates)) {
      await onStage(subject, { connections }, async (stage) => {
        const load = { connections, size: SIZE, batch };
        const result = await bench.pick(sustain, tryOnce)(stage, load, maxima.get(subject.name));
        maxima.set(subject.name, result.rate);
        bench.record(subject.name, { connections, batch }, toMetrics(result));
      });
    }
  }
}
