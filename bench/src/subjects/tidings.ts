/**
 * Arguments: `hijack`, the option of that name. `idle`: time stands still until a command lets it pass. `large-log`: in
 * memory, for more events than by default. `lmdb=PATH`: a log in a folder. `gzip`: compressed streams.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type HubOptions, createHub, memoryLog } from 'tidings';
import { gzip } from 'tidings/gzip';
import { lmdbLog } from 'tidings/lmdb';
import { sse } from 'tidings/node';
import { createManualClock } from 'tidings/testing';
import { collectGarbage } from '../harness/commands.ts';
import { makeData } from '../harness/event.ts';
import { serve } from './serve.ts';

const args = process.argv.slice(2);
const clock = createManualClock();
const hub = createHub(options());

function options(): HubOptions {
  if (args.includes('idle')) return { clock };
  if (args.includes('gzip')) return { compression: gzip() };
  const stallTimeout = 3_600_000;
  const retention = { events: 2_000_000, bytes: 2_147_483_648 };
  if (args.includes('large-log')) return { stallTimeout, log: memoryLog({ retention }) };
  const path = args.find((arg) => arg.startsWith('lmdb='))?.slice('lmdb='.length);
  if (path === undefined) return {};
  // The tail is small, to measure reads of the log itself, whatever its length.
  return { log: lmdbLog({ path, retention, tail: { events: 1000 } }) };
}

/** Lets as much time pass for the hub, in steps that leave its writes time to go out. */
async function passTime(milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 1000) {
    const before = hub.stats().bytes;
    clock.advance(1000);
    await sleep(hub.stats().bytes === before ? 0 : 20);
  }
}

/** The hub's memory without the log, whose events are a text and a frame each. */
function weigh() {
  const { heapUsed } = collectGarbage();
  const { behind, tail } = hub.stats();
  return { own: heapUsed - tail.bytes * 2, log: tail.bytes, behind };
}

interface Filling {
  readonly length: number;
  readonly topics: number;
  /** Events on each of the topics. */
  readonly missed: number;
}

/** Publishes `length` events: those of `topics` topics evenly among many others, and at the end those of one more. */
async function fill({ length, topics, missed }: Filling) {
  let number = 0;
  const publish = async (names: readonly string[]): Promise<void> => {
    for (let i = 0; i < names.length; i += 1000) {
      const events = names.slice(i, i + 1000).map((name) => {
        number += 1;
        return { topics: name, data: makeData(0, number, 100), raw: true };
      });
      await hub.publishAll(events);
    }
  };
  const first = hub.cursor();
  const wanted = Array.from({ length: topics }, (_, i) => `t/${i}`);
  const others = Array.from({ length: length / missed - topics }, (_, i) => `busy/${i % 50}`);
  for (let i = 0; i < missed; i += 1) await publish([...wanted, ...others]);
  const last = hub.cursor();
  await publish(Array.from({ length: missed }, () => 'news'));
  return { first, last, head: hub.cursor() };
}

serve({
  listener: sse(hub, { hijack: args.includes('hijack') }),
  connections: () => hub.stats().live,
  send: (data) => hub.publish('bench', data, { raw: true }),
  handlers: { passTime, weigh, fill },
});
