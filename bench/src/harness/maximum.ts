import type { Counts } from './load/client.ts';
import { type Spent, type Stage, measure } from './stage.ts';
import type { Bench } from './suite.ts';

/** A rate is sustained if 99 % of its events arrive within so many ms. */
export const BEARABLE_MS = 250;
/** More samples than this a second would be a burden to the load client. */
const SAMPLES = 100_000;
const TIMEOUT = 120_000;
/** A second, at most. So many deliveries are a little much for the slowest subject with 10,000 connections. */
const WARM_UP = { deliveries: 60_000, events: 1000 };
/** Events a second that everybody can do, to begin with. */
const FIRST_GUESS = 32;
/** How finely the rate is searched: each step halves the gap, first of a factor of two, to a fifth. */
const STEPS = 2;

export interface Burst {
  readonly connections: number;
  readonly size: number;
  readonly batch: number;
}

export interface Result {
  /** Events a second. */
  readonly rate: number;
  readonly counts: Counts;
  readonly spent: Spent;
}

/** Publishes for so many seconds at a rate, and waits until everybody has everything. */
export async function runAt(stage: Stage, burst: Burst, rate: number, seconds: number): Promise<Result> {
  const { server, load } = stage;
  const { connections, size, batch } = burst;
  const count = Math.max(1, Math.round((rate * seconds) / batch)) * batch;
  await load.reset(Math.max(1, Math.round((rate * connections) / SAMPLES)));
  let counts = await load.report();
  const spent = await measure(stage, async () => {
    await server.publish({ count, rate, size, batch }, TIMEOUT);
    counts = await load.expect(count, { timeout: TIMEOUT });
  });
  return { rate, counts, spent };
}

/**
 * The cost at a rate that is easily sustained. First, the code that runs once per event, not only per delivery, gets
 * hot enough to be compiled: compilers share the core with the subject.
 */
export async function costsAt(bench: Bench, stage: Stage, burst: Burst, rate: number) {
  const warmUpRate = Math.min(WARM_UP.events, WARM_UP.deliveries / burst.connections);
  await runAt(stage, burst, warmUpRate, bench.pick(10, 0.02));
  const result = await runAt(stage, burst, rate, bench.pick(5, 0.2));
  return { 'latency p50': ['ms', result.counts.p50], ...toCosts(result) } as const;
}

export function isSustained({ counts }: Result): boolean {
  return counts.p99 <= BEARABLE_MS;
}

/**
 * About the highest rate that is sustained: upwards by factors of two from `guess`, downwards if that is too much, then
 * between the two. Timestamps are of when an event was due, so a subject that publishes late doesn't look better for
 * it. For a second, a quarter too much is tolerable.
 */
export async function searchMaximum(stage: Stage, burst: Burst, guess: number): Promise<number> {
  const sustains = async (rate: number): Promise<boolean> =>
    isSustained(await tryTwice(stage, burst, rate, 1));
  let low = guess;
  while (!(await sustains(low))) low /= 2;
  let high = low * 2;
  for (; await sustains(high); high *= 2) low = high;
  for (let step = 0; step < STEPS; step += 1) {
    const middle = Math.sqrt(low * high);
    if (await sustains(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** The highest rate that is sustained for so many seconds, in steps of a tenth up or down from a good guess. */
export async function climb(stage: Stage, burst: Burst, guess: number, seconds: number): Promise<Result> {
  let result = await tryTwice(stage, burst, guess, seconds);
  if (!isSustained(result)) {
    while (!isSustained(result)) result = await tryTwice(stage, burst, result.rate * 0.9, seconds);
    return result;
  }
  for (;;) {
    const next = await runAt(stage, burst, result.rate * 1.1, seconds);
    if (!isSustained(next)) return result;
    result = next;
  }
}

/** Something else that the machine did may be why it wasn't sustained. */
async function tryTwice(stage: Stage, burst: Burst, rate: number, seconds: number): Promise<Result> {
  const first = await runAt(stage, burst, rate, seconds);
  return isSustained(first) ? first : await runAt(stage, burst, rate, seconds);
}

/** The highest rate that is sustained for 5 s: in later runs from the maximum of the run before. */
export async function sustain(stage: Stage, burst: Burst, before: number | undefined): Promise<Result> {
  await runAt(stage, burst, FIRST_GUESS, 2);
  return climb(stage, burst, before ?? (await searchMaximum(stage, burst, FIRST_GUESS)), 5);
}

/** Instead, where numbers mean nothing. */
export function tryOnce(stage: Stage, burst: Burst): Promise<Result> {
  return runAt(stage, burst, FIRST_GUESS, 0.5);
}

export function toMetrics(result: Result) {
  const { rate, counts, spent } = result;
  return {
    deliveries: ['/s', counts.received / spent.seconds],
    events: ['/s', rate],
    ...toCosts(result),
  } as const;
}

function toCosts({ counts, spent }: Result) {
  return {
    'latency p99': ['ms', counts.p99],
    'server cpu': ['µs', spent.cpuNanoseconds / 1000 / counts.received],
    'client cpu': ['%', spent.clientPercent],
  } as const;
}
