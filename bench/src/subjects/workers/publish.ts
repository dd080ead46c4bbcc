import { createHub } from 'tidings';
import { lmdbLog } from 'tidings/lmdb';
import { answerCommands } from '../../harness/commands.ts';
import { makeData } from '../../harness/event.ts';

export interface PublishCase {
  /** A folder for LMDB; empty: in memory. */
  readonly path: string;
  readonly way: keyof typeof ways;
  readonly seconds: number;
}

const data = makeData(0, 0, 100);
const input = { topics: 'bench', data, raw: true };
const inputs = Array.from({ length: 1000 }, () => input);
type Hub = ReturnType<typeof createHub>;

/** Each resolves when its events are in the log. */
const ways = {
  'one at a time': (hub: Hub) => hub.publishAll([input]),
  '1000 at a time': (hub: Hub) => Promise.all(inputs.map(() => hub.publish('bench', data, { raw: true }))),
  'batches of 1000': (hub: Hub) => hub.publishAll(inputs),
};

/** @returns events a second. */
async function publish({ path, way, seconds }: PublishCase): Promise<number> {
  const hub = createHub(path === '' ? {} : { log: lmdbLog({ path }) });
  const run = async (milliseconds: number): Promise<number> => {
    let events = 0;
    const start = performance.now();
    while (performance.now() - start < milliseconds) events += (await ways[way](hub)).length;
    return (events / (performance.now() - start)) * 1000;
  };
  await run(seconds * 200);
  const rate = await run(seconds * 1000);
  await hub.close();
  return rate;
}

answerCommands({ publish });
