import { describe, expect, test, vi } from 'vitest';
import { DEADLINE } from '../../../../scripts/deadline.ts';
import { handSource } from '../../test/ai-source.ts';
import { withMethods } from '../../test/fixture.ts';
import { type EventLog, createHub } from '../../test/internals.ts';
import type { NewEvent } from '../protocol/event.ts';
import { memoryLog } from '../logs/memory/index.ts';
import { type ManualClock, createManualClock } from '../testing/manual-clock.ts';
import { type Runs, createRuns } from './index.ts';

interface Fixture {
  readonly runs: Runs;
  readonly hub: ReturnType<typeof createHub>;
  readonly clock: ManualClock;
  /** The types of the events that the log was given, one list for each call. */
  readonly appends: string[][];
  /** Lets the log go on with what it was given, or refuse it. */
  answer(error?: Error): void;
  settle(): Promise<void>;
}

/** A log whose appends wait until the test answers them, as those of a disk or of another machine do. */
function fixture(shared = false): Fixture {
  const clock = createManualClock();
  const memory = memoryLog({ epoch: 'e', now: clock.now });
  const appends: string[][] = [];
  const waiting: ((error: Error | undefined) => void)[] = [];
  const append = async (events: readonly NewEvent[]): ReturnType<EventLog['append']> => {
    appends.push(events.map(({ type, topics }) => type ?? topics[0]));
    const error = await new Promise<Error | undefined>((resolve) => waiting.push(resolve));
    if (error !== undefined) throw error;
    return memory.append(events);
  };
  const log = withMethods(memory, { append, shared });
  const hub = createHub({ log, clock, onError: () => {} });
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 40; i += 1) {
      clock.tick();
      for (let j = 0; j < 20; j += 1) await Promise.resolve();
    }
  };
  return {
    hub,
    clock,
    appends,
    settle,
    runs: createRuns(hub, { clock, onError: () => {} }),
    answer(error) {
      for (const resolve of waiting.splice(0)) resolve(error);
    },
  };
}

describe('starting a run', () => {
  test('writes the lease and the record in one group, and asks the model meanwhile', async () => {
    const { runs, appends, answer, settle } = fixture();
    await settle();
    const source = handSource();
    source.push('The ', 'tide');
    const produce = vi.fn(() => source);
    const starting = runs.start({ chat: 'c', id: 'x' }, produce);
    await settle();
    expect(appends).toEqual([['tidings/runs/owners', 'run']]);
    expect(produce).toHaveBeenCalledTimes(1);
    // No viewer may get a chunk of a run that the log doesn't have.
    answer();
    const run = await starting;
    await settle();
    expect(appends.slice(1)).toEqual([['chunks']]);
    answer();
    let first: unknown;
    for await (const item of run.items()) {
      first = item;
      break;
    }
    expect(first).toMatchObject({ batch: { from: 0, chunks: ['The tide'] } });
  });

  test('asks the model only once the record is written, where other processes could start the run too', async () => {
    const { runs, appends, answer, settle } = fixture(true);
    await settle();
    const produce = vi.fn(() => handSource());
    const starting = runs.start({ chat: 'c', id: 'x' }, produce);
    await settle();
    expect(appends.at(-1)).toEqual(['tidings/runs/owners', 'run']);
    expect(produce).not.toHaveBeenCalled();
    answer();
    await starting;
    await settle();
    expect(produce).toHaveBeenCalledTimes(1);
  });

  test('asks the model only once the record is written, where this process has other runs on the log', async () => {
    const { runs, hub, clock, settle } = fixture();
    createRuns(hub, { clock });
    await settle();
    const produce = vi.fn(() => handSource());
    void runs.start({ chat: 'c', id: 'x' }, produce);
    await settle();
    expect(produce).not.toHaveBeenCalled();
  });

  test('stops the model if the log refuses the record, and publishes nothing', async () => {
    const { runs, appends, answer, settle } = fixture();
    await settle();
    const source = handSource();
    source.push('The ');
    let signal: AbortSignal | undefined;
    const starting = runs.start({ chat: 'c', id: 'x' }, (given) => {
      signal = given;
      return source;
    });
    await settle();
    answer(new Error('disk full'));
    await expect(starting).rejects.toThrow('disk full');
    source.push('tide');
    source.finish();
    await settle();
    expect([signal?.aborted, source.isLeft]).toEqual([true, true]);
    expect(appends).toHaveLength(1);
  });

  test('fails if the log refuses its last chunks, although its source has ended', async () => {
    const { runs, answer, settle } = fixture();
    await settle();
    const source = handSource();
    source.push('The ', 'tide');
    source.finish();
    const starting = runs.start({ chat: 'c', id: 'x' }, () => source);
    await settle();
    answer();
    const run = await starting;
    await settle();
    answer(new Error('disk full'));
    await settle();
    answer();
    await settle();
    expect(await run.ended()).toMatchObject({ status: 'failed' });
  });

  test('is waited for by close', async () => {
    const { runs, answer, settle, appends } = fixture();
    await settle();
    const source = handSource();
    const starting = runs.start({ chat: 'c', id: 'x' }, () => source);
    await settle();
    let isClosed = false;
    const closing = runs.close({ within: 1000 }).then(() => (isClosed = true));
    await settle();
    expect(isClosed).toBe(false);
    answer();
    await starting;
    source.finish();
    await settle();
    answer();
    await settle();
    answer();
    await closing;
    // The lease with the record, the run's end, and the end of the lease.
    expect(appends).toEqual([['tidings/runs/owners', 'run'], ['run'], ['tidings/runs/owners']]);
  });
});

test('runs of a process that died are lost as soon as the next one has read a log that it alone can have', async () => {
  const memory = memoryLog({ epoch: 'e' });
  const firstHub = createHub({
    log: withMethods(memory, { close: () => Promise.resolve() }),
    onError: () => {},
  });
  const first = createRuns(firstHub, { lease: 3_600_000 });
  const run = await first.start({ chat: 'c', id: 'x' }, () => handSource());
  expect((await first.find('c'))?.status).toBe('running');
  // A process that dies leaves its lease behind.
  await firstHub.close({ within: 0 });
  const hub = createHub({ log: memory, onError: () => {} });
  const next = createRuns(hub, { lease: 3_600_000 });
  await vi.waitFor(async () => expect((await next.find('c'))?.status).toBe('lost'), { timeout: DEADLINE });
  expect((await next.find('c'))?.id).toBe(run.id);
  await next.close({ within: 0 });
  await hub.close({ within: 0 });
});

test('apps can’t publish on the topics of runs', async () => {
  const { hub } = fixture();
  await expect(hub.publish('tidings/runs/chat/c', 1)).rejects.toMatchObject({
    code: 'topic/reserved',
    status: 400,
  });
  await expect(hub.publish(['a', 'tidings/runs/records'], 1)).rejects.toMatchObject({
    code: 'topic/reserved',
  });
});

test('a run is not waited for any more once the runs are closed', async () => {
  const clock = createManualClock();
  const hub = createHub({ log: memoryLog({ epoch: 'e', now: clock.now }), clock, onError: () => {} });
  const runs = createRuns(hub, { clock, onError: () => {} });
  // The records aren't read yet.
  const finding = runs.find('c', 'x').catch((error: unknown) => error);
  await runs.close();
  for (let i = 0; i < 100; i += 1) {
    clock.tick();
    await Promise.resolve();
  }
  expect(await Promise.race([finding, Promise.resolve('hangs')])).toMatchObject({ code: 'hub/unavailable' });
});
