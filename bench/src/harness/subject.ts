import { type Child, type Core, startNode } from './child.ts';
import type { Pace } from './publisher.ts';

/** The thing to measure: a server that pushes events to every connection. */
export interface Subject {
  readonly name: string;
  /** Why it can't be measured here, and what to do about it. */
  readonly missing: string | undefined;
  start(args?: readonly string[]): Promise<Server>;
}

export interface Server {
  readonly pid: number;
  readonly port: number;
  readonly path: string;
  /** How many connections would get an event published now. */
  connections(): Promise<number>;
  publish(pace: Pace, timeout?: number): Promise<void>;
  /** A command that only this subject knows. */
  ask: Child['ask'];
  stop(): Promise<void>;
}

/** A subject that has more to do than it can takes its time to answer. */
const BUSY = 300_000;

/** `own`: arguments that make this variant of the script, before those of a suite. */
export function nodeSubject(
  name: string,
  script: string,
  own: readonly string[] = [],
  core: Core = 'subject',
): Subject {
  return {
    name,
    missing: undefined,
    start: (args = []) => toServer(startNode(name, script, core, [...own, ...args])),
  };
}

/** A subject that answers commands itself. */
export async function toServer(child: Child): Promise<Server> {
  const { port } = await child.ask<{ port: number }>('listen');
  return {
    pid: child.pid,
    port,
    path: '/events?topic=bench',
    connections: () => child.ask('connections', {}, BUSY),
    publish: async (pace, timeout) => void (await child.ask('publish', pace, timeout)),
    ask: child.ask,
    stop: child.stop,
  };
}
