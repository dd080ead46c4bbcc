import { type Child, startNode } from './child.ts';
import type { Counts, OpenRequest } from './load/client.ts';

/** The load client, as the harness drives it. */
export interface Load {
  readonly pid: number;
  open(request: OpenRequest, timeout?: number): Promise<void>;
  /** Connects and leaves `count` times. */
  churn(request: OpenRequest): Promise<void>;
  /** Counts from now on; takes the latency of each `every`th event. */
  reset(every?: number, group?: string): Promise<void>;
  /** Waits until each connection has got exactly so many events since the last reset. */
  expect(events: number, options?: { readonly timeout?: number; readonly group?: string }): Promise<Counts>;
  /** How many connections have got so many events since the last reset. */
  progress(events: number): Promise<number>;
  report(group?: string): Promise<Counts>;
  /** Lets stalled connections read on. */
  resume(group: string): Promise<void>;
  /** Also ends the opening of more. */
  close(group?: string): Promise<void>;
  stop(): Promise<void>;
}

export function startLoad(): Load {
  const child: Child = startNode('load client', 'harness/load/client.js', 'load');
  return {
    pid: child.pid,
    open: (request, timeout) => child.ask('open', request, timeout),
    churn: (request) => child.ask('churn', request, 600_000),
    reset: (every = 1, group) => child.ask('reset', { every, group }),
    async expect(events, { timeout = 60_000, group } = {}) {
      const counts = await waitFor(child, events, group, timeout);
      if (counts.most === events) return counts;
      throw new Error(`A connection got ${counts.most} events instead of ${events}.`);
    },
    progress: (events) => child.ask('progress', { events }),
    report: (group) => child.ask('report', { group }),
    resume: (group) => child.ask('resume', { group }),
    close: (group) => child.ask('close', { group }),
    stop: () => child.stop(),
  };
}

async function waitFor(child: Child, events: number, group: string | undefined, timeout: number) {
  try {
    return await child.ask<Counts>('expect', { events, group }, timeout);
  } catch (cause) {
    const { least, most } = await child.ask<Counts>('report', { group });
    throw new Error(`Each connection was to get ${events} events, and got ${least} to ${most}.`, { cause });
  }
}
