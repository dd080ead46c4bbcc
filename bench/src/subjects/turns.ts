/**
 * A hub with something in its log, and a watch on how long its event loop is busy at a time. Arguments: `lmdb=PATH`, a
 * log in a folder instead of in memory.
 */
import { openSync, readSync } from 'node:fs';
import { createHub, memoryLog } from 'tidings';
import { lmdbLog } from 'tidings/lmdb';
import { sse } from 'tidings/node';
import { makeData } from '../harness/event.ts';
import { canMeasure } from '../harness/usage.ts';
import { serve } from './serve.ts';

const path = process.argv.find((arg) => arg.startsWith('lmdb='))?.slice('lmdb='.length);
const retention = { events: 2_000_000, bytes: 4_294_967_296 };
const topics = [{ match: 'board', state: true }];
const hub = createHub({
  log: path === undefined ? memoryLog({ retention, topics }) : lmdbLog({ path, retention, topics }),
  // More than a server on the open internet allows: this shows that even that makes no turn long.
  limits: { connections: Infinity, patternsPerConnection: 100 },
  replay: { events: Infinity, bytes: Infinity },
  catchUpShare: 1,
});

export interface Filling {
  /** Events on a topic each, all on one topic, or the newest values of as many keys. */
  readonly kind: 'topics' | 'events' | 'states';
  readonly size: number;
}

const PAGE = 1000;

async function fill({ kind, size }: Filling): Promise<void> {
  for (let first = 0; first < size; first += PAGE) {
    const count = Math.min(PAGE, size - first);
    await hub.publishAll(
      Array.from({ length: count }, (_, i) => {
        const n = first + i;
        const data = makeData(0, n, 100);
        if (kind === 'topics') return { topics: `u/${n}/y`, data, raw: true };
        return kind === 'events'
          ? { topics: 'bench', data, raw: true }
          : { topics: 'board', key: `k${n}`, data, raw: true };
      }),
    );
  }
}

/** One event on each of so many topics, side by side. */
async function publishTo({ topics: count }: { readonly topics: number }): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, n) => hub.publish(`u/${n}/y`, makeData(0, n, 100), { raw: true })),
  );
}

const waited = openWaited();
let watching = false;
let longest = 0;
let lastCheck = 0;

/** Counts from now on. The loop never sleeps: between two checks it was busy, or the second followed at once. */
function watch(): void {
  longest = 0;
  lastCheck = ownTime();
  if (watching) return;
  watching = true;
  check();
}

function check(): void {
  const now = ownTime();
  longest = Math.max(longest, now - lastCheck);
  lastCheck = now;
  if (watching) setImmediate(check);
}

/** Milliseconds without those for which another had the core: those make no turn of ours longer. */
function ownTime(): number {
  for (;;) {
    const [before, now, after] = [waited(), performance.now(), waited()];
    // Otherwise another process had the core just between the two.
    if (before === after) return now - after;
  }
}

/** Milliseconds for which the main thread could have run but another had the core. */
function openWaited(): () => number {
  if (!canMeasure) return () => 0;
  const file = openSync('/proc/self/schedstat', 'r');
  const buffer = Buffer.alloc(64);
  // https://docs.kernel.org/scheduler/sched-stats.html: time on the core, time waiting for it, in ns.
  return () => Number(buffer.toString('latin1', 0, readSync(file, buffer, 0, 64, 0)).split(' ')[1]) / 1e6;
}

/** @returns the longest turn since then, in ms. */
function longestTurn(): number {
  watching = false;
  return longest;
}

serve({
  listener: sse(hub),
  connections: () => hub.stats().live,
  send: (data) => hub.publish('bench', data, { raw: true }),
  handlers: { fill, publishTo, watch, longestTurn },
});
