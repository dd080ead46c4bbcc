import { expect, test, vi } from 'vitest';
import { handSource } from '../../test/ai-source.ts';
import { withMethods } from '../../test/fixture.ts';
import { type EventLog, createHub } from '../../test/internals.ts';
import { runsGatewayOf } from '../hub/runs-gateway.ts';
import { memoryLog } from '../logs/memory/index.ts';
import { createManualClock } from '../testing/manual-clock.ts';
import { type RunsOptions, createRuns, rawChunks } from './index.ts';
import { nameRun } from './names.ts';

/** Runs on a log that can refuse what `refuses` says. */
function fixture(options: RunsOptions = {}) {
  const clock = createManualClock();
  const memory = memoryLog({ epoch: 'e', now: clock.now });
  const state = { refuses: (_events: Parameters<EventLog['append']>[0]): boolean => false };
  const append: EventLog['append'] = async (events) => {
    if (state.refuses(events)) throw new Error('The log takes nothing now.');
    return memory.append(events);
  };
  const hub = createHub({ log: withMethods(memory, { append }), clock, onError: () => {} });
  const runs = createRuns(hub, { clock, onError: () => {}, ...options });
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 40; i += 1) {
      clock.tick();
      for (let j = 0; j < 20; j += 1) await Promise.resolve();
    }
  };
  const { topic } = nameRun('c', '1');
  const gateway = runsGatewayOf(hub);
  return {
    runs,
    state,
    settle,
    async pass(milliseconds: number) {
      for (let left = milliseconds; left > 0; left -= 100) {
        clock.advance(Math.min(100, left));
        await settle();
      }
    },
    /** Appends chunks where the run's own would be. */
    async append(from: number, ...chunks: readonly string[]) {
      await gateway.append({
        topics: [topic],
        type: 'chunks',
        data: JSON.stringify({ from, chunks }),
        id: undefined,
        key: String(from),
        tombstone: false,
        private: true,
      });
    },
    async begin() {
      const source = handSource();
      const starting = runs.start({ chat: 'c', id: '1' }, () => source);
      await settle();
      return { run: await starting, source };
    },
  };
}

test('chunks that come out of order are read in order', async () => {
  const { begin, append, settle } = fixture();
  const { run, source } = await begin();
  const live = run.response(new Request('http://x/'), rawChunks).text();
  await append(3, 'd');
  await append(1, 'b', 'c');
  await append(4, 'e');
  await append(0, 'a');
  source.finish();
  await settle();
  const late = run.response(new Request('http://x/'), rawChunks).text();
  await settle();
  const texts = (wire: string): string =>
    Array.from(wire.matchAll(/^data: "(.)"$/gm), ([, text]) => text ?? '').join('');
  for (const wire of [await live, await late]) {
    expect(texts(wire)).toBe('abcde');
    expect(wire).toContain('{"status":"done"}');
  }
});

test('an answer of which the log lost chunks for good is not taken for whole', async () => {
  const onEnd = vi.fn();
  const { begin, append, settle } = fixture({ onEnd });
  const { run, source } = await begin();
  const wire = run.response(new Request('http://x/'), rawChunks).text();
  await append(0, 'a');
  await append(2, 'c');
  source.finish();
  await settle();
  expect(await run.ended()).toMatchObject({ status: 'done' });
  const [first, ...others] = (await wire).split('\n').filter((line) => line.startsWith('data:'));
  expect([first, others.length]).toEqual(['data: "a"', 1]);
  expect(others[0]).toContain('"status":"lost"');
  expect(onEnd.mock.calls).toMatchObject([[{ status: 'lost', text: 'a' }]]);
});

test('viewers are told the end after the lease, although the log doesn’t take it', async () => {
  const { begin, state, settle, pass } = fixture({ lease: 2000, keep: 20_000 });
  const { run, source } = await begin();
  const wire = run.response(new Request('http://x/'), rawChunks).text();
  source.push('a');
  await settle();
  state.refuses = () => true;
  let isOver = false;
  void wire.then(() => (isOver = true));
  source.push('b');
  await pass(1500);
  expect(isOver).toBe(false);
  await pass(2000);
  expect(isOver).toBe(true);
  expect(await wire).toContain('"status":"failed"');
  // The log learns it as soon as it works again.
  state.refuses = () => false;
  await pass(2000);
  expect((await run.ended()).status).toBe('failed');
});

test('onEnd is called once, also if the log fails to take down that it was', async () => {
  const onEnd = vi.fn();
  const { begin, state, pass } = fixture({ lease: 1000, onEnd });
  const { source } = await begin();
  let refused = 0;
  state.refuses = (events) => {
    const isRefused = events.some(({ data }) => data.includes('"handedOver":true')) && refused < 5;
    if (isRefused) refused += 1;
    return isRefused;
  };
  source.push('a');
  source.finish();
  await pass(10_000);
  expect(refused).toBe(5);
  expect(onEnd).toHaveBeenCalledTimes(1);
});
