import { describe, expect, test, vi } from 'vitest';
import { DEADLINE } from '../../../../scripts/deadline.ts';
import { type HandSource, handSource } from '../../test/ai-source.ts';
import { startHub } from '../../test/fixture.ts';
import { settle } from '../../test/peer.ts';
import { memoryLog } from '../logs/memory/index.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { createHub, type EventLog } from '../../test/internals.ts';
import { type ManualClock, createManualClock } from '../testing/manual-clock.ts';
import { type RunItem, type RunsOptions, type Runs, type Run, createRuns } from './index.ts';

interface Fixture {
  readonly runs: Runs;
  readonly clock: ManualClock;
  readonly log: EventLog;
  readonly hub: ReturnType<typeof createHub>;
  readonly failures: unknown[];
  /** Lets promises settle, and the hub push. */
  settle(): Promise<void>;
  pass(milliseconds: number): Promise<void>;
  begin(
    id?: string,
    source?: HandSource,
    chat?: string,
  ): Promise<{ run: Run; source: HandSource; signal: AbortSignal }>;
}

function fixture(options: RunsOptions = {}, shared?: { log: EventLog; clock: ManualClock }): Fixture {
  const clock = shared?.clock ?? createManualClock();
  const log = shared?.log ?? memoryLog({ epoch: 'e', now: clock.now });
  const failures: unknown[] = [];
  const hub = createHub({ log, clock, onError: (error) => failures.push(error) });
  const runs = createRuns(hub, { clock, onError: (error) => failures.push(error), ...options });
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 40; i += 1) {
      clock.tick();
      for (let j = 0; j < 20; j += 1) await Promise.resolve();
    }
  };
  return {
    runs,
    clock,
    log,
    hub,
    failures,
    settle,
    async pass(milliseconds) {
      const step = Math.max(10, milliseconds / 200);
      for (let left = milliseconds; left > 0; left -= step) {
        clock.advance(Math.min(step, left));
        await settle();
      }
    },
    async begin(id = 'r1', source = handSource(), chat = 'c') {
      let signal: AbortSignal | undefined;
      const starting = runs.start({ chat, id }, (given) => {
        signal = given;
        return source;
      });
      await settle();
      const run = await starting;
      await settle();
      return { run, source, signal: signal as AbortSignal };
    },
  };
}

/** Reads the run in the background. */
function watch(run: Run, after = 0): { readonly chunks: unknown[]; readonly items: RunItem[] } {
  const seen = { chunks: [] as unknown[], items: [] as RunItem[] };
  void (async () => {
    for await (const item of run.items({ after })) {
      seen.items.push(item);
      if (item.kind === 'chunks') seen.chunks.push(...item.batch.chunks);
    }
  })();
  return seen;
}

function endOf({ items }: { readonly items: readonly RunItem[] }): unknown {
  const last = items.at(-1);
  return last?.kind === 'end' ? last.record.status : last?.kind;
}

function code(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'resolved',
    (error: unknown) => (error instanceof TidingsError ? error.code : error),
  );
}

describe('a run', () => {
  test('goes on without viewers, and late ones get all of it and its end', async () => {
    const { begin, settle, pass } = fixture();
    const { run, source } = await begin();
    expect(run.isNew).toBe(true);
    source.push('The ', 'tide ');
    await pass(50);
    const early = watch(run);
    await settle();
    source.push('comes.');
    await pass(50);
    source.finish();
    await settle();
    const late = watch(run);
    await settle();
    expect(early.chunks.join('')).toBe('The tide comes.');
    expect(late.chunks.join('')).toBe('The tide comes.');
    expect([endOf(early), endOf(late)]).toEqual(['done', 'done']);
  });

  test('that is started twice is produced once, also at the same moment', async () => {
    const { runs, settle } = fixture();
    const produce = vi.fn(() => handSource());
    const both = [runs.start({ chat: 'c', id: 'x' }, produce), runs.start({ chat: 'c', id: 'x' }, produce)];
    await settle();
    expect((await Promise.all(both)).map(({ isNew }) => isNew)).toEqual([true, false]);
    const [first, again] = await Promise.all(both);
    expect(again?.messageId).toBe(first?.messageId);
    expect(produce).toHaveBeenCalledTimes(1);
  });

  test('that is started on two processes at once is produced once', async () => {
    const one = fixture();
    const two = fixture({}, one);
    const produce = vi.fn(() => handSource());
    const both = [
      one.runs.start({ chat: 'c', id: 'x' }, produce),
      two.runs.start({ chat: 'c', id: 'x' }, produce),
    ];
    await one.settle();
    expect((await Promise.all(both)).filter(({ isNew }) => isNew)).toHaveLength(1);
    expect(produce).toHaveBeenCalledTimes(1);
  });

  test('follows its ended predecessor of the same id until keep is over, and is produced again after it', async () => {
    const { begin, runs, settle, pass } = fixture({ keep: 5000 });
    const { source } = await begin('x');
    source.push('a');
    source.finish();
    await settle();
    const produce = vi.fn(() => handSource());
    const again = await runs.start({ chat: 'c', id: 'x' }, produce);
    expect([again.isNew, again.status]).toEqual([false, 'done']);
    await pass(7000);
    expect(await runs.find('c')).toBeUndefined();
    const anew = runs.start({ chat: 'c', id: 'x' }, produce);
    await settle();
    expect((await anew).isNew).toBe(true);
    expect(produce).toHaveBeenCalledTimes(1);
  });

  test('stops at once, and its producer learns it by the signal', async () => {
    const { begin, settle } = fixture();
    const { run, source, signal } = await begin();
    const viewer = watch(run);
    source.push('a');
    await settle();
    await run.stop();
    expect(signal.aborted).toBe(true);
    await settle();
    expect(source.isLeft).toBe(true);
    expect(endOf(viewer)).toBe('stopped');
    expect(await run.ended()).toMatchObject({ status: 'stopped' });
  });

  test('is stopped by another process', async () => {
    const one = fixture();
    const two = fixture({}, one);
    const { signal } = await one.begin();
    const there = await two.runs.find('c');
    void there?.stop();
    await one.settle();
    expect(signal.aborted).toBe(true);
  });

  test('fails when its producer throws, and viewers get no more than the app says', async () => {
    const { begin, settle, failures } = fixture({ errorText: () => 'Try again.' });
    const { run, source } = await begin();
    source.push('a');
    source.fail(new Error('secret key 123'));
    await settle();
    const viewer = watch(run);
    await settle();
    expect(viewer.chunks).toEqual(['a']);
    expect(viewer.items.at(-1)).toMatchObject({
      kind: 'end',
      record: { status: 'failed', error: { code: 'run/failed', text: 'Try again.' } },
    });
    expect(failures).toMatchObject([{ message: 'secret key 123' }]);
  });

  test('fails when it takes too long', async () => {
    const { begin, pass } = fixture({ maxDuration: 2000, abandonAfter: Infinity });
    const { run, signal } = await begin();
    const viewer = watch(run);
    await pass(1900);
    expect(signal.aborted).toBe(false);
    await pass(700);
    expect(signal.aborted).toBe(true);
    expect(viewer.items.at(-1)).toMatchObject({
      record: { status: 'failed', error: { code: 'run/too-long' } },
    });
  });

  test('fails when its chunks are too long', async () => {
    const { begin, settle } = fixture({ maxLength: 100 });
    const { run, source, signal } = await begin();
    const viewer = watch(run);
    source.push('x'.repeat(200));
    await settle();
    expect(signal.aborted).toBe(true);
    expect(viewer.items.at(-1)).toMatchObject({
      record: { status: 'failed', error: { code: 'run/too-large' } },
    });
  });

  test('fails when its chunks are too long, also if its source has ended by the time the log refuses them', async () => {
    const { runs, settle } = fixture({ maxLength: 100 });
    await settle();
    const source = handSource();
    source.push('x'.repeat(200));
    source.finish();
    const starting = runs.start({ chat: 'c', id: 'x' }, () => source);
    await settle();
    const viewer = watch(await starting);
    await settle();
    expect(viewer.items.at(-1)).toMatchObject({
      record: { status: 'failed', error: { code: 'run/too-large' } },
    });
  });

  test('fails when a chunk is bytes, or its producer returns something that is no stream', async () => {
    const { begin, runs, settle } = fixture();
    const { run, source } = await begin();
    source.push(new Uint8Array(1));
    await settle();
    const wrong = await runs.start({ chat: 'c', id: 'y' }, (() => 42) as never);
    await settle();
    expect(await run.ended()).toMatchObject({ status: 'failed', error: { code: 'event/invalid-data' } });
    expect(await wrong.ended()).toMatchObject({ status: 'failed', error: { code: 'event/invalid-data' } });
  });

  test('reads a ReadableStream', async () => {
    const { runs, settle } = fixture();
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue('a');
        controller.enqueue('b');
        controller.close();
      },
    });
    const starting = runs.start({ chat: 'c', id: 'x' }, () => stream);
    await settle();
    await new Promise((resolve) => setImmediate(resolve));
    const viewer = watch(await starting);
    await vi.waitFor(
      async () => {
        await settle();
        expect(endOf(viewer)).toBe('done');
      },
      { timeout: DEADLINE },
    );
    expect(viewer.chunks.join('')).toBe('ab');
  });

  test('does not begin for a subject that has as many as allowed, in all processes together', async () => {
    const one = fixture({ perSubject: 2 });
    const two = fixture({ perSubject: 2 }, one);
    const start = (runs: Runs, id: string) =>
      runs.start({ chat: 'c', id, subject: 'ann' }, () => handSource());
    const first = start(one.runs, '1');
    await one.settle();
    const second = start(two.runs, '2');
    await one.settle();
    await Promise.all([first, second]);
    const third = code(start(one.runs, '3'));
    const known = start(one.runs, '2');
    await one.settle();
    expect(await third).toBe('limit/runs');
    expect((await known).isNew).toBe(false);
    await (await first).stop();
    await one.settle();
    const fourth = start(two.runs, '4');
    await one.settle();
    expect((await fourth).isNew).toBe(true);
  });

  test('of many at once does not begin beyond the limit', async () => {
    const { runs, settle } = fixture({ perSubject: 3 });
    const all = Array.from({ length: 10 }, (_, i) =>
      code(runs.start({ chat: 'c', id: `${i}`, subject: 'ann' }, () => handSource())),
    );
    await settle();
    const answers = await Promise.all(all);
    expect(answers.filter((answer) => answer === 'resolved')).toHaveLength(3);
    expect(answers.filter((answer) => answer === 'limit/runs')).toHaveLength(7);
  });
});

describe('deltas of text', () => {
  const delta = (text: string): object => ({ type: 'text-delta', id: 't', delta: text });

  test('leave at once if they are the first, and are gathered for the window after that', async () => {
    const { begin, settle, pass } = fixture({ mergeWindow: 40 });
    const { run, source } = await begin();
    const viewer = watch(run);
    source.push({ type: 'start' }, { type: 'text-start', id: 't' });
    await settle();
    source.push(delta('a'));
    await settle();
    expect(viewer.chunks.at(-1)).toEqual(delta('a'));
    source.push(delta('b'), delta('c'));
    await settle();
    source.push(delta('d'));
    await pass(30);
    expect(viewer.chunks.at(-1)).toEqual(delta('a'));
    await pass(20);
    expect(viewer.chunks.at(-1)).toEqual(delta('bcd'));
    // After a pause, the next one leaves at once again.
    await pass(100);
    source.push(delta('e'));
    await settle();
    expect(viewer.chunks.at(-1)).toEqual(delta('e'));
  });
});

describe('a run that nobody watches', () => {
  test('is abandoned after its time, and not before', async () => {
    const { begin, pass } = fixture({ abandonAfter: 4000 });
    const { signal, run } = await begin();
    await pass(3500);
    expect(signal.aborted).toBe(false);
    await pass(2000);
    expect(signal.aborted).toBe(true);
    expect(await run.ended()).toMatchObject({ status: 'abandoned' });
  });

  test('goes on while a response shows it, and for the time after that', async () => {
    const { begin, pass, settle } = fixture({ abandonAfter: 4000 });
    const { signal, run } = await begin();
    const leaving = new AbortController();
    const response = run.response(
      new Request('http://x/', { signal: leaving.signal }),
      (await import('./index.ts')).rawChunks,
    );
    void response.text().catch(() => {});
    await pass(20_000);
    expect(signal.aborted).toBe(false);
    leaving.abort();
    await settle();
    await pass(3000);
    expect(signal.aborted).toBe(false);
    await pass(3000);
    expect(signal.aborted).toBe(true);
  });

  test('goes on while a response of another process shows it', async () => {
    const one = fixture({ abandonAfter: 4000 });
    const two = fixture({ abandonAfter: 4000 }, one);
    const { signal } = await one.begin();
    const there = (await two.runs.find('c')) as Run;
    const leaving = new AbortController();
    const { rawChunks } = await import('./index.ts');
    void there
      .response(new Request('http://x/', { signal: leaving.signal }), rawChunks)
      .text()
      .catch(() => {});
    await one.pass(15_000);
    expect(signal.aborted).toBe(false);
    leaving.abort();
    await one.pass(9000);
    expect(signal.aborted).toBe(true);
  });
});

describe('a run whose process died', () => {
  /** A process that appends nothing more from some moment on. */
  function dying(log: EventLog): { readonly log: EventLog; die(): void } {
    let isDead = false;
    const wrapped = Object.create(log) as EventLog;
    Object.defineProperty(wrapped, 'append', {
      value: (...args: Parameters<EventLog['append']>) =>
        isDead ? new Promise(() => {}) : log.append(...args),
    });
    return { log: wrapped, die: () => void (isDead = true) };
  }

  test('is lost once its lease is over, for its viewers on other processes too', async () => {
    const clock = createManualClock();
    const log = memoryLog({ epoch: 'e', now: clock.now });
    const { log: mortal, die } = dying(log);
    const one = fixture({ lease: 2000 }, { clock, log: mortal });
    const two = fixture({ lease: 2000 }, { clock, log });
    const { source } = await one.begin();
    source.push('half ');
    await one.settle();
    const run = (await two.runs.find('c')) as Run;
    const viewer = watch(run);
    await two.pass(6000);
    expect(endOf(viewer)).not.toBe('lost');
    die();
    await two.pass(4000);
    expect(viewer.chunks).toEqual(['half ']);
    expect(viewer.items.at(-1)).toMatchObject({ record: { status: 'lost', error: { code: 'run/lost' } } });
    // A process that starts later finds it so as well.
    const three = fixture({ lease: 2000 }, { clock, log });
    expect((await three.runs.find('c'))?.status).toBe('lost');
  });

  test('is found by a process that starts when the lease is long over', async () => {
    const clock = createManualClock();
    const log = memoryLog({ epoch: 'e', now: clock.now });
    const { log: mortal, die } = dying(log);
    const one = fixture({ lease: 2000 }, { clock, log: mortal });
    await one.begin();
    die();
    await one.pass(8000);
    const two = fixture({ lease: 2000 }, { clock, log });
    await two.pass(100);
    expect((await two.runs.find('c'))?.status).toBe('lost');
  });

  test('has its answer handed over by another process, once', async () => {
    const clock = createManualClock();
    const log = memoryLog({ epoch: 'e', now: clock.now });
    const { log: mortal, die } = dying(log);
    const onEnd = vi.fn();
    const one = fixture({ lease: 2000, onEnd }, { clock, log: mortal });
    const two = fixture({ lease: 2000, onEnd }, { clock, log });
    const three = fixture({ lease: 2000, onEnd }, { clock, log });
    const { source } = await one.begin();
    source.push('half');
    await one.settle();
    die();
    await two.pass(20_000);
    await three.settle();
    expect(onEnd.mock.calls).toMatchObject([[{ status: 'lost', text: 'half', id: 'r1', chat: 'c' }]]);
  });
});

describe('onEnd', () => {
  test('gets the whole answer once, however many processes there are', async () => {
    const onEnd = vi.fn();
    const one = fixture({ onEnd });
    const two = fixture({ onEnd }, one);
    const { source } = await one.begin();
    source.push({ type: 'text-start', id: 't' }, { type: 'text-delta', id: 't', delta: 'a' });
    await one.pass(100);
    source.push({ type: 'text-delta', id: 't', delta: 'b' });
    source.finish();
    await one.pass(30_000);
    expect(onEnd).toHaveBeenCalledTimes(1);
    expect(onEnd.mock.calls[0]?.[0]).toMatchObject({ status: 'done', text: 'ab', chat: 'c', id: 'r1' });
    expect(onEnd.mock.calls[0]?.[0]).not.toHaveProperty('owner');
    expect(await two.runs.find('c')).toMatchObject({ status: 'done' });
  });

  test('is called again after it threw', async () => {
    let isUp = false;
    const stored: string[] = [];
    const one = fixture({
      lease: 1000,
      onEnd: ({ text }) => {
        if (!isUp) throw new Error('database down');
        stored.push(text);
      },
    });
    const { source } = await one.begin();
    source.push('a');
    source.finish();
    await one.pass(3000);
    expect(one.failures.length).toBeGreaterThan(1);
    isUp = true;
    await one.pass(3000);
    expect(stored).toEqual(['a']);
  });
});

describe('a run on the log', () => {
  test('does not push other events out, and is not pushed out by them', async () => {
    const clock = createManualClock();
    const log = memoryLog({ epoch: 'e', now: clock.now, retention: { events: 5 } });
    const { begin, hub, settle, pass } = fixture(
      { mergeWindow: 0, keep: 5000, maxDuration: 60_000 },
      { clock, log },
    );
    for (let i = 0; i < 5; i += 1) await hub.publish('news', i);
    const { run, source } = await begin();
    for (let i = 0; i < 50; i += 1) {
      source.push({ n: i });
      await settle();
    }
    const news: unknown[] = [];
    for await (const item of hub.subscribe('news', { cursor: 'earliest' })) {
      if (item.kind === 'event') news.push(item.json());
      if (news.length === 5) break;
    }
    expect(news).toEqual([0, 1, 2, 3, 4]);
    for (let i = 0; i < 50; i += 1) await hub.publish('news', i);
    source.finish();
    await settle();
    const viewer = watch(run);
    await settle();
    expect(viewer.chunks).toHaveLength(50);
    expect(endOf(viewer)).toBe('done');
    // All of it leaves by its own time, without pushing anything out.
    await pass(90_000);
    const left = await log.read({
      after: 0,
      wants: () => true,
      matchers: (await import('../protocol/matcher-set.ts')).createMatcherSet([
        { pattern: 'tidings/runs/*' },
      ]),
      limit: { events: 1000, length: 1_000_000 },
      snapshot: true,
    });
    expect(left.entries.filter(({ type }) => type === 'chunks' || type === 'run')).toEqual([]);
    const again: unknown[] = [];
    for await (const item of hub.subscribe('news', { cursor: 'earliest' })) {
      if (item.kind === 'event') again.push(item.json());
      if (again.length === 5) break;
    }
    expect(again).toEqual([45, 46, 47, 48, 49]);
  });

  test.each([
    { granted: [], topics: [{ pattern: '*' }], reads: false },
    { granted: [{ pattern: '*' }, { pattern: 'tidings/*' }], topics: [{ pattern: '*' }], reads: false },
    { granted: [{ pattern: '*' }], topics: ['tidings/runs/chat/c/x'], reads: false },
    { granted: ['tidings/runs/chat/c/x'], topics: ['tidings/runs/chat/c/x'], reads: true },
    { granted: [{ pattern: 'tidings/runs/chat/c/*' }], topics: ['tidings/runs/chat/c/x'], reads: true },
  ])('is read with the grants $granted: $reads', async ({ granted, topics, reads }) => {
    const { hub, clock, follow } = startHub();
    const runs = createRuns(hub, { clock });
    const peer = await follow({ topics, granted });
    const run = await runs.start({ chat: 'c', id: 'x' }, () => handSource());
    await run.stop();
    for (let i = 0; i < 10; i += 1) {
      clock.tick();
      await settle();
      peer.receive();
    }
    expect(peer.wire.includes('"stopped"')).toBe(reads);
  });
});

describe('closing', () => {
  test('waits for runs, ends the slow ones as lost, and refuses new ones', async () => {
    const { begin, runs, settle, pass } = fixture();
    const quick = await begin('quick');
    const slow = await begin('slow');
    const viewer = watch(slow.run);
    let isClosed = false;
    void runs.close({ within: 1000 }).then(() => (isClosed = true));
    await pass(500);
    expect(await code(runs.start({ chat: 'c', id: 'new' }, () => handSource()))).toBe('hub/unavailable');
    quick.source.push('x');
    quick.source.finish();
    await settle();
    expect(await quick.run.ended()).toMatchObject({ status: 'done' });
    expect(isClosed).toBe(false);
    await pass(600);
    expect(isClosed).toBe(true);
    expect(slow.signal.aborted).toBe(true);
    expect(endOf(viewer)).toBe('lost');
  });
});

test('unknown options and names are refused', async () => {
  const { hub, runs } = fixture();
  expect(() => createRuns(hub, { keeep: 1 } as never)).toThrow(/Did you mean `keep`/);
  expect(() => createRuns({} as never)).toThrow(/createHub/);
  expect(await code(runs.start({ chat: '', id: 'x' }, () => handSource()))).toBe('hub/invalid-option');
  expect(await code(runs.start({ chat: 'c'.repeat(300), id: 'x' }, () => handSource()))).toBe(
    'run/invalid-name',
  );
  expect(() => runs.follow({} as never)).toThrow(/authorize/);
});
