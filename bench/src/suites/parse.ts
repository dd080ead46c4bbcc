import { startNode } from '../harness/child.ts';
import type { Suite } from '../harness/suite.ts';
import type { ParseCase } from '../subjects/workers/parse.ts';

const subjects = [{ name: 'eventsource-parser' }, { name: 'tidings' }] as const;

/** How fast a client reads. */
export const parse: Suite = {
  name: 'parse',
  about:
    'Megabytes of a stream decoded in a second, from bytes to events, in pieces of 64 KiB as a fast network hands ' +
    'them out, or of a packet each.',
  reference: { subject: 'eventsource-parser' },
  async run(bench) {
    for (const size of [100, 2000, 20_000]) {
      for (const chunk of [65_536, 1400]) {
        for (const { name } of bench.rounds(subjects)) {
          const worker = startNode('worker', 'subjects/workers/parse.js', 'subject');
          try {
            const wanted: ParseCase = { subject: name, size, chunk, megabytes: bench.pick(500, 2) };
            const speed = await worker.ask<number>('parse', wanted);
            bench.record(name, { size, chunk }, { decoded: ['MB/s', speed] });
          } finally {
            await worker.stop();
          }
        }
      }
    }
  },
};
