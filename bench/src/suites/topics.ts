import { startNode } from '../harness/child.ts';
import { makeFolder, removeFolder } from '../harness/folders.ts';
import type { Params } from '../harness/report.ts';
import type { Bench, Suite } from '../harness/suite.ts';
import type { PublishCase, QuietCase } from '../subjects/workers/topics.ts';

const NAME = 'tidings';
const TIMEOUT = 300_000;
/** In the cases that differ in topics and patterns. */
const SUBSCRIBERS = 10;

interface Case {
  readonly name: string;
  readonly params: Params;
  readonly publish: PublishCase;
}

/**
 * Whether the cost of an event depends on the number of topics and subscribers that it doesn't concern. In one process,
 * without sockets.
 */
export const topics: Suite = {
  name: 'topics',
  about:
    'One process, no sockets. What publishing an event takes, up to handing it to the connections, one at a time: by topics ' +
    `(${SUBSCRIBERS} connections each) and by patterns that don’t match; and by its subscribers. Then, what a client ` +
    'of a quiet topic takes that comes back, by the length of the log that its 100 events lie in. Ratios are to one ' +
    'topic and no patterns, one subscriber, the shortest log.',
  reference: { params: { topics: 1, patterns: 0, subscribers: 1, 'log length': 10_000 } },
  async run(bench) {
    for (const each of bench.rounds(cases(bench))) {
      await inWorker(async (ask) => {
        const microseconds = await ask<number>('publish', each.publish, TIMEOUT);
        bench.record(NAME, each.params, { publish: ['µs', microseconds] });
      });
    }
    await resumeQuiet(bench);
  },
};

function cases(bench: Bench): Case[] {
  const events = bench.pick(100_000, 2000);
  const found: Case[] = [];
  const add = (params: Params, publish: Omit<PublishCase, 'events'>): void => {
    const most = Math.max(1000, (events * SUBSCRIBERS) / publish.subscribers);
    found.push({ name: NAME, params, publish: { ...publish, events: Math.min(events, most) } });
  };
  for (const count of bench.pick([1, 1000, 100_000], [1, 100])) {
    for (const patterns of bench.pick([0, 10, 1000], [0, 10])) {
      const each = Math.min(10, count);
      add({ topics: count, patterns }, { topics: count, patterns, subscribers: SUBSCRIBERS, each });
    }
  }
  for (const subscribers of bench.pick([1, 100, 10_000], [1, 100])) {
    add({ subscribers }, { topics: 1, patterns: 0, subscribers, each: 1 });
  }
  return found;
}

async function resumeQuiet(bench: Bench): Promise<void> {
  for (const length of bench.pick([10_000, 100_000, 1_000_000], [10_000])) {
    for (const { name } of bench.rounds([{ name: `${NAME}, memory` }, { name: `${NAME}, LMDB` }])) {
      const path = name.endsWith('LMDB') ? makeFolder() : '';
      await inWorker(async (ask) => {
        const quiet: QuietCase = { length, resumes: bench.pick(500, 10), path };
        const microseconds = await ask<number>('resumeQuiet', quiet, TIMEOUT);
        bench.record(name, { 'log length': length }, { 'resume of 100 events': ['µs', microseconds] });
      });
      if (path !== '') removeFolder(path);
    }
  }
}

async function inWorker(work: (ask: ReturnType<typeof startNode>['ask']) => Promise<void>): Promise<void> {
  const worker = startNode('worker', 'subjects/workers/topics.js', 'subject');
  try {
    await work(worker.ask);
  } finally {
    await worker.stop();
  }
}
