import { describe, expect, test, vi } from 'vitest';
import { handSource } from '../../test/ai-source.ts';
import { withMethods } from '../../test/fixture.ts';
import { type EventLog, createHub } from '../../test/internals.ts';
import { memoryLog } from '../logs/memory/index.ts';
import { type ManualClock, createManualClock } from '../testing/manual-clock.ts';
import { type Run, type Runs, type RunsOptions, createRuns } from './index.ts';

interface Node {
  readonly runs: Runs;
  /** Calls the handler that stops. */
  stop(chat: string, query?: string): Promise<number>;
  /** From now on its events don't reach the log, until `release`. */
  hold(): void;
  release(): void;
  /** The log refuses the next deletion. */
  refuseDeletion(): void;
}

interface Cluster {
  readonly clock: ManualClock;
  node(options?: RunsOptions): Node;
  settle(): Promise<void>;
}

/** Processes on one log. */
function cluster(shared: boolean): Cluster {
  const clock = createManualClock();
  const log = withMethods(memoryLog({ epoch: 'e', now: clock.now }), { shared });
  return {
    clock,
    node(options = {}) {
      let held: Promise<void> | undefined;
      let release = (): void => {};
      let refusesDeletion = false;
      const append = async (...args: Parameters<EventLog['append']>): ReturnType<EventLog['append']> => {
        await held;
        if (refusesDeletion && args[0].some(({ tombstone }) => tombstone)) {
          refusesDeletion = false;
          throw new Error('The log takes nothing now.');
        }
        return log.append(...args);
      };
      const hub = createHub({ log: withMethods(log, { append, shared }), clock, onError: () => {} });
      const runs = createRuns(hub, { clock, onError: () => {}, authorize: () => true, ...options });
      const handler = runs.stop({ chat: ({ url }: Request) => new URL(url).pathname.slice(1) });
      return {
        runs,
        stop: async (chat, query = '') =>
          (await handler(new Request(`http://x/${chat}${query}`, { method: 'POST' }))).status,
        hold: () => void (held = new Promise<void>((resolve) => (release = resolve))),
        release: () => release(),
        refuseDeletion: () => void (refusesDeletion = true),
      };
    },
    async settle() {
      for (let i = 0; i < 40; i += 1) {
        clock.tick();
        for (let j = 0; j < 20; j += 1) await Promise.resolve();
      }
    },
  };
}

/** Begins a run whose record doesn't reach the log yet. */
function beginHeld(node: Node, chat = 'c', id = 'r1') {
  const source = handSource();
  const produce = vi.fn((_signal: AbortSignal) => source);
  node.hold();
  const starting = node.runs.start({ chat, id }, produce);
  return { source, produce, starting };
}

describe('a stop before the log has the run', () => {
  test.each(['', '?run=r1', '?asked=r1', '?asked=other'])(
    'stops it in the same process (%s)',
    async (query) => {
      const { node, settle } = cluster(false);
      const one = node();
      await settle();
      const { produce, starting } = beginHeld(one);
      await settle();
      // The log is this process's alone, so the model was asked at once.
      const signal = produce.mock.calls[0]?.[0];
      const stopping = one.stop('c', query);
      await settle();
      expect(signal?.aborted).toBe(true);
      one.release();
      await settle();
      expect(await stopping).toBe(204);
      expect(await (await starting).ended()).toMatchObject({ status: 'stopped' });
    },
  );

  test.each(['', '?run=r1', '?asked=r1', '?asked=other'])(
    'stops it on another node, and the model is never asked (%s)',
    async (query) => {
      const { node, settle } = cluster(true);
      const [one, two] = [node(), node()];
      await settle();
      const { produce, starting } = beginHeld(one);
      await settle();
      const stopping = two.stop('c', query);
      await settle();
      expect(await stopping).toBe(204);
      one.release();
      await settle();
      const run = await starting;
      await settle();
      expect(await run.ended()).toMatchObject({ status: 'stopped' });
      expect(produce).not.toHaveBeenCalled();
    },
  );

  test('stops it on another node that has the record, but has not been heard from yet', async () => {
    const { node, settle } = cluster(true);
    const [one, two] = [node(), node()];
    await settle();
    const source = handSource();
    const starting = one.runs.start({ chat: 'c', id: 'r1' }, () => source);
    const stopping = two.stop('c');
    await settle();
    await stopping;
    await settle();
    expect(await (await starting).ended()).toMatchObject({ status: 'stopped' });
  });

  test.each(['run', 'asked'])(
    'stops it also if its question is still on its way (?%s=)',
    async (parameter) => {
      const { node, settle, clock } = cluster(false);
      const one = node({ lease: 10_000 });
      await settle();
      expect(await one.stop('c', `?${parameter}=r1`)).toBe(204);
      await settle();
      const produce = vi.fn(() => handSource());
      const run = await one.runs.start({ chat: 'c', id: 'r1' }, produce);
      await settle();
      expect(await run.ended()).toMatchObject({ status: 'stopped' });
      expect(produce).not.toHaveBeenCalled();
      // Another question is none of it.
      const other = await one.runs.start({ chat: 'c', id: 'r2' }, produce);
      await settle();
      expect((await one.runs.find('c', 'r2'))?.status).toBe('running');
      await other.stop();
      clock.advance(60_000);
      await settle();
    },
  );

  test('of a chat is no stop of what is asked there afterwards', async () => {
    const { node, settle } = cluster(true);
    const [one, two] = [node(), node()];
    await settle();
    expect(await two.stop('c')).toBe(204);
    await settle();
    await one.runs.start({ chat: 'c', id: 'r1' }, () => handSource());
    // A process that reads the log anew reads the old stop, too.
    const three = node();
    await settle();
    for (const { runs } of [one, two, three]) expect((await runs.find('c'))?.status).toBe('running');
  });

  test('of a chat stops nothing in others', async () => {
    const { node, settle } = cluster(true);
    const [one, two] = [node(), node()];
    await settle();
    const { starting } = beginHeld(one, 'cc');
    await two.stop('c');
    await settle();
    one.release();
    await settle();
    expect((await starting).status).toBe('running');
    expect((await one.runs.find('cc'))?.status).toBe('running');
  });
});

test('a run that is being started is found as soon as its record is written', async () => {
  const { node, settle } = cluster(false);
  const one = node();
  await settle();
  const { starting } = beginHeld(one);
  const finding = Promise.all([one.runs.find('c'), one.runs.find('c', 'r1')]);
  await settle();
  one.release();
  await settle();
  expect((await finding).map((run) => run?.id)).toEqual(['r1', 'r1']);
  await (await starting).stop();
});

test('starts of one subject on several nodes at once stay within the limit, and the model is asked only for those', async () => {
  const { node, settle } = cluster(true);
  const nodes = Array.from({ length: 4 }, () => node({ perSubject: 2 }));
  await settle();
  const produce = vi.fn(() => handSource());
  const starts = nodes.map(({ runs }, i) => runs.start({ chat: `c${i}`, id: 'x', subject: 'ann' }, produce));
  const results = Promise.allSettled(starts);
  await settle();
  const settled = await results;
  expect(settled.map(({ status }) => status).toSorted()).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'rejected',
  ]);
  for (const each of settled)
    if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'limit/runs', status: 429 });
  await settle();
  expect(produce).toHaveBeenCalledTimes(2);
  // Of the others nothing is left.
  const found: (Run | undefined)[] = await Promise.all(
    nodes.map(async (_, i) => nodes[0]?.runs.find(`c${i}`)),
  );
  expect(found.filter((run) => run !== undefined)).toHaveLength(2);
  for (const run of found) await run?.stop();
  await settle();
  const again = nodes[3]?.runs.start({ chat: 'c9', id: 'x', subject: 'ann' }, produce);
  await settle();
  expect((await again)?.isNew).toBe(true);
});

test('a run beyond the limit leaves nothing, even if the log takes its deletion only later', async () => {
  const { node, settle, clock } = cluster(true);
  const nodes = [node({ perSubject: 1 }), node({ perSubject: 1 })];
  await settle();
  for (const each of nodes) each.refuseDeletion();
  const starts = nodes.map(({ runs }, i) =>
    runs.start({ chat: `c${i}`, id: 'x', subject: 'ann' }, () => handSource()),
  );
  const results = Promise.allSettled(starts);
  await settle();
  const beyond = (await results).findIndex(({ status }) => status === 'rejected');
  await expect(starts[beyond]).rejects.toMatchObject({ code: 'limit/runs' });
  clock.advance(2000);
  await settle();
  expect(await nodes[0]?.runs.find(`c${beyond}`)).toBeUndefined();
});
