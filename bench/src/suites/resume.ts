import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder, removeFolder } from '../harness/folders.ts';
import { type Load, startLoad } from '../harness/load.ts';
import type { OpenRequest } from '../harness/load/client.ts';
import { type Stage, measure, untilConnected } from '../harness/stage.ts';
import type { Server } from '../harness/subject.ts';
import { tidings } from '../subjects/index.ts';
import type { Bench, Suite } from '../harness/suite.ts';

/** Events that each client has missed, and topics that they are on if there are several. */
const MISSED = 100;
const TOPICS = 100;
const SHORT = 10_000;
const LONG = 1_000_000;
/** Clients that were not served within so many ms are not waited for. */
const LIMIT = 60_000;

interface Filled {
  readonly name: string;
  readonly length: number;
  readonly server: Server;
  readonly cursors: Cursors;
}

/** Where clients stood before the log was filled, before its last events, and after. */
interface Cursors {
  readonly first: string;
  readonly last: string;
  readonly head: string;
}

/** The cost of all clients dropping at once and coming back, by the length of the log. */
export const resume: Suite = {
  name: 'resume',
  about:
    `Clients come back with the cursor they had. “At the end”: all missed the newest ${MISSED} events, of one topic; ` +
    `“among others”: each missed ${MISSED} of one of ${TOPICS} topics, spread over the whole log. All is counted ` +
    'from the connect on, so “nothing” is the cost of connecting. A client that is not served within ' +
    `${LIMIT / 1000} s is left out. Ratios are to the short log.`,
  reference: { params: { 'log length': SHORT } },
  async run(bench) {
    const clients = bench.pick(10_000, 50);
    const folders = [makeFolder(), makeFolder()] as const;
    const load = startLoad();
    const logs: Filled[] = [];
    try {
      for (const [i, length] of bench.pick([SHORT, LONG], [SHORT, SHORT * 2]).entries()) {
        logs.push(await fill('memory', length, ['large-log']));
        logs.push(await fill('LMDB', length, [`lmdb=${folders[i]}`]));
      }
      for (const log of bench.rounds(logs)) await measureAll(bench, load, log, clients);
    } finally {
      await Promise.all([load, ...logs.map(({ server }) => server)].map((child) => child.stop()));
      for (const folder of folders) removeFolder(folder);
    }
  },
};

async function fill(kind: string, length: number, args: readonly string[]): Promise<Filled> {
  const server = await tidings.start(args);
  const cursors = await server.ask<Cursors>('fill', { length, topics: TOPICS, missed: MISSED }, 300_000);
  return { name: `tidings, ${kind}`, length, server, cursors };
}

async function measureAll(bench: Bench, load: Load, log: Filled, clients: number): Promise<void> {
  const { first, last, head } = log.cursors;
  const cases = [
    { missed: 'nothing', path: '/?topic=news', lastEventId: head, events: 0 },
    { missed: 'at the end', path: '/?topic=news', lastEventId: last, events: MISSED },
    { missed: 'among others', path: '/?topic=t/{n}', lastEventId: first, events: MISSED },
  ];
  for (const { missed, events, ...request } of cases) {
    const { server, length } = log;
    const stage = { server, load };
    const wanted = { ...request, port: server.port, count: clients, topics: TOPICS };
    let served = 0;
    await load.reset();
    const spent = await measure(stage, async () => {
      served = await (events === 0 ? connectAll(stage, wanted) : serveAll(stage, wanted, events));
    });
    await load.close();
    await untilConnected(server, 0, LIMIT * 5);
    const seconds = served === clients ? spent.seconds : Number.NaN;
    bench.record(
      log.name,
      { clients, missed, 'log length': length },
      {
        'server cpu': ['µs/client', spent.cpuNanoseconds / 1000 / served],
        'until all have all': ['s', seconds],
        served: ['clients', served],
        'client cpu': ['%', spent.clientPercent],
      },
    );
  }
}

async function connectAll({ server, load }: Stage, wanted: OpenRequest): Promise<number> {
  await load.open(wanted);
  await untilConnected(server, wanted.count);
  return wanted.count;
}

/** @returns how many clients have everything: when all have, or else at the limit. */
async function serveAll({ load }: Stage, wanted: OpenRequest, events: number): Promise<number> {
  const deadline = performance.now() + LIMIT;
  const untilServed = async (): Promise<number> => {
    for (;;) {
      const served = await load.progress(events);
      if (served === wanted.count) await load.expect(events);
      if (served === wanted.count || performance.now() > deadline) {
        await load.close();
        return served;
      }
      await sleep(10);
    }
  };
  const [, served] = await Promise.all([load.open(wanted, LIMIT * 2), untilServed()]);
  return served;
}
