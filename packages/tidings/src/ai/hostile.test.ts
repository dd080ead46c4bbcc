import { afterEach, describe, expect, test, vi } from 'vitest';
import { DEADLINE } from '../../../../scripts/deadline.ts';
import { handSource } from '../../test/ai-source.ts';
import { createHub } from '../../test/internals.ts';
import {
  type Produce,
  type Run,
  type Runs,
  type RunsOptions,
  createRuns,
  rawChunks,
  uiMessages,
} from './index.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});
const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: DEADLINE, interval: 5 });

function start(options: RunsOptions = {}): { readonly runs: Runs; readonly failures: unknown[] } {
  const failures: unknown[] = [];
  const onError = (error: unknown): void => void failures.push(error);
  const hub = createHub({ onError });
  const runs = createRuns(hub, { onError, authorize: () => true, ...options });
  closers.push(async () => {
    await runs.close({ within: 0 });
    await hub.close({ within: 0 });
  });
  return { runs, failures };
}

const text = (run: Run, view = rawChunks): Promise<string> =>
  run.response(new Request('http://x/'), view).text();

describe('a model', () => {
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  test.each<{ what: string; produce: Produce }>([
    {
      what: 'throws before it returns a stream',
      produce: () => {
        throw new Error('no');
      },
    },
    { what: 'rejects', produce: () => Promise.reject(new Error('no')) },
    { what: 'returns nothing', produce: () => undefined as never },
    { what: 'returns a number', produce: () => 5 as never },
    {
      what: 'yields what JSON can’t represent',
      async *produce() {
        yield cyclic;
      },
    },
    {
      what: 'yields a bigint',
      async *produce() {
        yield { n: 1n };
      },
    },
    {
      what: 'yields more than an event may have',
      async *produce() {
        yield { type: 'text-delta', id: '1', delta: 'x'.repeat(2_000_000) };
      },
    },
    {
      what: 'has an iterator that resolves to nothing',
      produce: () => ({
        [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(undefined as never) }),
      }),
    },
    {
      what: 'has an iterator that throws',
      produce: () => ({
        [Symbol.asyncIterator]: () => ({
          next() {
            throw new Error('no');
          },
        }),
      }),
    },
  ])('that $what fails its run, and viewers get the end', async ({ produce }) => {
    const { runs, failures } = start();
    const run = await runs.start({ chat: 'c', id: '1' }, produce);
    expect(await run.ended()).toMatchObject({ status: 'failed' });
    expect(await text(run)).toMatch(/event: end\ndata: {"status":"failed"/);
    expect(await text(run, uiMessages)).toMatch(/"type":"error".*\[DONE\]\n\n$/s);
    expect(failures).toHaveLength(1);
  });

  test.each([0, 40])(
    'that never waits and never ends leaves others their turns (merge window: %s)',
    async (mergeWindow) => {
      const { runs } = start({ mergeWindow, maxLength: 1_000_000 });
      const run = await runs.start({ chat: 'c', id: '1' }, async function* produce() {
        for (;;) yield 'tide ';
      });
      let turns = 0;
      let isOver = false;
      const turn = (): void => {
        turns += 1;
        if (!isOver) setImmediate(turn);
      };
      setImmediate(turn);
      expect(await run.ended()).toMatchObject({ status: 'failed', error: { code: 'run/too-large' } });
      isOver = true;
      expect(turns).toBeGreaterThan(100);
    },
  );

  test('that yields odd values has them arrive as they are', async () => {
    const { runs } = start({ mergeWindow: 0, merge: () => undefined });
    const odd = [
      null,
      '',
      0,
      false,
      [],
      {},
      '\u2028\r\n\0',
      '\ud800',
      { type: 'a\nb' },
      { toJSON: () => 'json' },
    ];
    const run = await runs.start({ chat: 'c', id: '1' }, async function* produce() {
      yield undefined;
      for (const chunk of odd) yield chunk;
    });
    const chunks: unknown[] = [];
    for await (const item of run.items()) if (item.kind === 'chunks') chunks.push(...item.batch.chunks);
    expect(chunks).toEqual(JSON.parse(JSON.stringify(odd)));
    for (const view of [rawChunks, uiMessages]) expect(await text(run, view)).toMatch(/\n\n$/);
  });

  test('that never answers and ignores the signal is left alone when its run is stopped', async () => {
    const { runs } = start();
    const run = await runs.start({ chat: 'c', id: '1' }, () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<never>(() => {}),
        return: () => Promise.reject(new Error('no')),
      }),
    }));
    await run.stop();
    expect(await run.ended()).toMatchObject({ status: 'stopped' });
  });

  test('that throws when it is left, or after its end, changes nothing', async () => {
    const { runs, failures } = start();
    const source = handSource();
    const run = await runs.start({ chat: 'c', id: '1' }, () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => source[Symbol.asyncIterator]().next(),
        return() {
          throw new Error('no');
        },
      }),
    }));
    source.push('a');
    await run.stop();
    source.fail(new Error('late'));
    expect(await run.ended()).toMatchObject({ status: 'stopped' });
    expect(failures).toEqual([]);
  });
});

describe('onEnd', () => {
  test('that hangs delays nobody but the end of the process', async () => {
    const onEnd = vi.fn(() => new Promise<void>(() => {}));
    const { runs } = start({ onEnd });
    const source = handSource();
    const run = await runs.start({ chat: 'c', id: '1' }, () => source);
    source.push('a');
    source.finish();
    expect(await run.ended()).toMatchObject({ status: 'done' });
    await until(() => expect(onEnd).toHaveBeenCalledTimes(1));
    expect(await text(run)).toContain('"status":"done"');
    // Stopping a run that has ended is nothing; the next one begins.
    await run.stop();
    const next = await runs.start({ chat: 'c', id: '2' }, () => handSource());
    expect(next.isNew).toBe(true);
    await next.stop();
    await runs.close({ within: 10 });
  });

  test('is called once for a run that is stopped while it works', async () => {
    let finish = (): void => {};
    const onEnd = vi.fn(() => new Promise<void>((resolve) => (finish = resolve)));
    const { runs } = start({ onEnd });
    const source = handSource();
    const run = await runs.start({ chat: 'c', id: '1' }, () => source);
    source.push('whole');
    source.finish();
    await until(() => expect(onEnd).toHaveBeenCalledTimes(1));
    const [stop, follow] = [runs.stop({ chat: () => 'c' }), runs.follow(rawChunks, { chat: () => 'c' })];
    const request = (query = ''): Request => new Request(`http://x/${query}`, { method: 'POST' });
    for (const query of ['', '?run=1', '?asked=1']) expect((await stop(request(query))).status).toBe(204);
    expect(await (await follow(request())).text()).toContain('"status":"done"');
    finish();
    await until(async () => expect((await follow(request())).status).toBe(204));
    expect((await run.ended()).status).toBe('done');
    expect(onEnd.mock.calls).toMatchObject([[{ status: 'done', text: 'whole' }]]);
  });

  test('gets what was written when its run is stopped', async () => {
    const onEnd = vi.fn();
    const { runs } = start({ onEnd, mergeWindow: 0 });
    const source = handSource();
    const run = await runs.start({ chat: 'c', id: '1' }, () => source);
    source.push('half ');
    for await (const item of run.items()) if (item.kind === 'chunks') break;
    await Promise.all([run.stop(), run.stop()]);
    await until(() => expect(onEnd).toHaveBeenCalledTimes(1));
    expect(onEnd.mock.calls[0]?.[0]).toMatchObject({ status: 'stopped', text: 'half ' });
  });
});

test.each([
  '*',
  'a/b',
  '..',
  'ä 🌊',
  'tidings/runs/records',
  '%2F',
  'a?b#c',
  "'; drop",
  '\u0000',
  '__proto__',
])('a chat or a run named %j is one like any other', async (name) => {
  const { runs } = start();
  const other = await runs.start({ chat: `${name}x`, id: 'other' }, () => handSource());
  const source = handSource();
  const run = await runs.start({ chat: name, id: name }, () => source);
  source.push('a');
  source.finish();
  expect(await text(run)).toContain('data: "a"');
  expect((await runs.find(name))?.id).toBe(name);
  const stop = runs.stop({ chat: () => name });
  expect((await stop(new Request('http://x/', { method: 'POST' }))).status).toBe(204);
  expect((await runs.find(`${name}x`))?.status).toBe('running');
  await other.stop();
});

test.each(['\ud800', 'x'.repeat(251), '🌊'.repeat(100)])(
  'a chat named %j is refused by all handlers alike',
  async (name) => {
    const { runs } = start();
    for (const handler of [runs.follow(rawChunks, { chat: () => name }), runs.stop({ chat: () => name })]) {
      const response = await handler(new Request('http://x/', { method: 'POST' }));
      expect([response.status, (await response.text()).includes('stack')]).toEqual([
        name === '' ? 500 : 400,
        false,
      ]);
    }
    await expect(runs.find(name)).rejects.toMatchObject({ code: 'run/invalid-name' });
  },
);

test('a cursor of another run, of a run that is gone, or from beyond the end hangs nobody', async () => {
  const { runs } = start();
  const source = handSource();
  const run = await runs.start({ chat: 'c', id: '1' }, () => source);
  source.push('a');
  source.finish();
  await run.ended();
  const follow = runs.follow(rawChunks, { chat: () => 'c' });
  const get = (cursor: string): Promise<Response> =>
    follow(new Request('http://x/', { headers: { 'last-event-id': cursor } }));
  expect((await get('gone/3')).status).toBe(204);
  expect(await (await get('1/999')).text()).toContain('"status":"done"');
  expect(await (await get('%zz/1')).text()).toContain('data: "a"');
  expect((await get('1/end')).status).toBe(204);
});
