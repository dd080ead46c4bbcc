import { startNode } from '../harness/child.ts';
import { makeFolder, removeFolder } from '../harness/folders.ts';
import type { Suite } from '../harness/suite.ts';
import type { PublishCase } from '../subjects/workers/publish.ts';

const ways = ['one at a time', '1000 at a time', 'batches of 1000'] as const;
const logs = [{ name: 'tidings, memory' }, { name: 'tidings, LMDB' }];

/** How fast the log takes events without subscribers. */
export const publish: Suite = {
  name: 'publish',
  about:
    'Events of 100 bytes appended in a second, in one process, each resolved: one after another, in rounds of 1,000 ' +
    'that are published side by side, or by `publishAll`. LMDB with `durability: commit`, on the disk of the ' +
    'temporary folder.',
  async run(bench) {
    for (const way of ways) {
      for (const { name } of bench.rounds(logs)) {
        const path = name.endsWith('LMDB') ? makeFolder() : '';
        const worker = startNode('worker', 'subjects/workers/publish.js', 'subject');
        try {
          const wanted: PublishCase = { path, way, seconds: bench.pick(3, 0.1) };
          bench.record(
            name,
            { way },
            { appended: ['events/s', await worker.ask<number>('publish', wanted)] },
          );
        } finally {
          await worker.stop();
          if (path !== '') removeFolder(path);
        }
      }
    }
  },
};
