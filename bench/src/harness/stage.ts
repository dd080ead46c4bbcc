import { until } from './child.ts';
import { type Load, startLoad } from './load.ts';
import type { Server, Subject } from './subject.ts';
import { cpuTime } from './usage.ts';
import { type Wire, wireArgument } from './wire.ts';

/** A subject, and connections to it. */
export interface Stage {
  readonly server: Server;
  readonly load: Load;
}

export interface Setting {
  readonly connections: number;
  /** See `ReaderOptions`. */
  readonly encoding?: string;
  readonly args?: readonly string[];
  /** Default: HTTP/1.1. */
  readonly wire?: Wire;
  /** Over HTTP/2: how many connections, which are streams there, a session has. Default 1. */
  readonly streams?: number;
}

/** Thousands of handshakes take their time. */
export const OPEN_TIMEOUT = 180_000;

/** Starts the subject anew, connects to it, and leaves nothing behind. */
export async function onStage<T>(
  subject: Subject,
  { connections, encoding, args = [], wire = 'http', streams = 1 }: Setting,
  work: (stage: Stage) => Promise<T>,
): Promise<T> {
  const server = await subject.start(wire === 'http' ? args : [...args, wireArgument(wire)]);
  const load = startLoad();
  try {
    const { port, path } = server;
    await load.open({ port, path, count: connections, encoding, wire, streams }, OPEN_TIMEOUT);
    await untilConnected(server, connections);
    return await work({ server, load });
  } finally {
    try {
      await load.stop();
    } finally {
      // Also reports a subject that has crashed.
      await server.stop();
    }
  }
}

export async function untilConnected(server: Server, connections: number, timeout?: number): Promise<void> {
  const holds = async (): Promise<boolean> => (await server.connections()) === connections;
  await until(`${connections} connections`, holds, timeout);
}

export interface Spent {
  /** Of the subject, with all its processes. */
  readonly cpuNanoseconds: number;
  readonly seconds: number;
  /** How much of its core the load client took, in percent: near 100, it is the bottleneck. */
  readonly clientPercent: number;
}

export async function measure({ server, load }: Stage, work: () => Promise<unknown>): Promise<Spent> {
  const before = [cpuTime(server.pid), cpuTime(load.pid)] as const;
  const start = performance.now();
  await work();
  const milliseconds = performance.now() - start;
  return {
    cpuNanoseconds: cpuTime(server.pid) - before[0],
    seconds: milliseconds / 1000,
    clientPercent: (cpuTime(load.pid) - before[1]) / 1e4 / milliseconds,
  };
}
