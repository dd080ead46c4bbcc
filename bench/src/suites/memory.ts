import { setTimeout as sleep } from 'node:timers/promises';
import { OPEN_TIMEOUT, type Stage, onStage, untilConnected } from '../harness/stage.ts';
import { hijacked, resWriteLoop, subjects, tidings } from '../subjects/index.ts';
import type { Bench, Suite } from '../harness/suite.ts';
import { residentBytes } from '../harness/usage.ts';

const MIB = 1_048_576;
const own = [tidings, hijacked];
const HEARTBEATS_MS = 600_000;

/** The memory of an idle connection, and whether it is freed afterwards. */
export const memory: Suite = {
  name: 'memory',
  about:
    'Resident bytes that idle connections add, each, after a garbage collection where there is one to ask for. ' +
    '“After heartbeats”: ten minutes of them later, by a clock turned by hand. Growth: of all, from 20 % of the ' +
    'cycles of connecting and leaving to their end.',
  reference: { subject: resWriteLoop.name },
  async run(bench) {
    const connections = bench.pick(10_000, 100);
    for (const subject of bench.rounds(subjects)) {
      // Some come and go first, to exclude code that is loaded and compiled once.
      await onStage(subject, { connections: bench.pick(200, 10), args: ['idle'] }, async (stage) => {
        const metrics = await measureIdle(bench, stage, connections, own.includes(subject));
        bench.record(subject.name, { connections }, metrics);
      });
    }
    for (const subject of bench.rounds(own)) {
      await onStage(subject, { connections: 0 }, async (stage) => {
        const cycles = bench.pick(100_000, 500);
        bench.record(subject.name, { cycles }, await measureChurn(bench, stage, cycles));
      });
    }
  },
};

export async function measureIdle(bench: Bench, stage: Stage, connections: number, beats: boolean) {
  const { server, load } = stage;
  const settle = bench.pick(2000, 50);
  await load.close();
  await untilConnected(server, 0);
  const before = await weigh(stage, settle);
  await load.open({ port: server.port, path: server.path, count: connections }, OPEN_TIMEOUT);
  await untilConnected(server, connections);
  const idle = await weigh(stage, settle);
  const metrics = perConnection('', before, idle, connections);
  if (!beats) return metrics;
  await server.ask('passTime', HEARTBEATS_MS, 300_000);
  return {
    ...metrics,
    ...perConnection(' after heartbeats', before, await weigh(stage, settle), connections),
  };
}

interface Weight {
  readonly resident: number;
  /** NaN outside of Node. */
  readonly heap: number;
}

function perConnection(when: string, before: Weight, after: Weight, connections: number) {
  return {
    [`resident${when}`]: ['B/connection', (after.resident - before.resident) / connections],
    [`heap${when}`]: ['B/connection', (after.heap - before.heap) / connections],
  } as const;
}

async function weigh({ server }: Stage, settle: number): Promise<Weight> {
  await sleep(settle);
  const { heapUsed } = await server
    .ask<{ heapUsed: number }>('collectGarbage')
    .catch(() => ({ heapUsed: Number.NaN }));
  await sleep(settle / 4);
  return { resident: residentBytes(server.pid), heap: heapUsed };
}

async function measureChurn(bench: Bench, stage: Stage, cycles: number) {
  const { server, load } = stage;
  const settle = bench.pick(1000, 50);
  const { port, path } = server;
  const churn = async (count: number): Promise<Weight> => {
    await load.churn({ port, path, count });
    await untilConnected(server, 0);
    return weigh(stage, settle);
  };
  const early = await churn(cycles / 5);
  const late = await churn((cycles * 4) / 5);
  return {
    'resident growth': ['MiB', (late.resident - early.resident) / MIB],
    'heap growth': ['MiB', (late.heap - early.heap) / MIB],
    'resident at the end': ['MiB', late.resident / MIB],
  } as const;
}
