/** Publishing under load, the same for all servers that share an engine. */
import { setTimeout as sleep } from 'node:timers/promises';
import { makeData } from '../../harness/event.ts';

export const TOPIC = 'bench';

export interface PublishLoad {
  /** Events in one call, and calls at once. */
  readonly group: number;
  readonly inFlight: number;
  readonly seconds: number;
  /** Events after which it ends in any case. */
  readonly most?: number;
  /** Milliseconds from the beginning of a call to that of the next. Default: as soon as the one before is answered. */
  readonly every?: number;
}

export interface PublishResult {
  readonly events: number;
  /** Events a second. */
  readonly rate: number;
  /** Milliseconds from a call until it resolves. */
  readonly acknowledged: readonly number[];
}

/** `publish` takes the data of a group, and resolves once the engine has it. */
export async function publishLoad(
  { group, inFlight, seconds, most = Infinity, every = 0 }: PublishLoad,
  publish: (data: readonly string[]) => Promise<unknown>,
): Promise<PublishResult> {
  const data = Array.from({ length: group }, () => makeData(0, 0, 100));
  const acknowledged: number[] = [];
  const start = performance.now();
  const until = start + seconds * 1000;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (let due = start; performance.now() < until && acknowledged.length * group < most; due += every) {
        if (due > performance.now()) await sleep(due - performance.now());
        const began = performance.now();
        await publish(data);
        acknowledged.push(performance.now() - began);
      }
    }),
  );
  const events = acknowledged.length * group;
  return { events, rate: (events * 1000) / (performance.now() - start), acknowledged };
}

/** One event with the time at which it was published, by the clock that all processes have. @returns milliseconds. */
export async function publishStamped(publish: (data: string) => Promise<unknown>): Promise<number> {
  const began = process.hrtime.bigint();
  await publish(`sent ${began}`);
  return Number(process.hrtime.bigint() - began) / 1e6;
}
