import { expect, test, vi } from 'vitest';
import { handSource } from '../../test/ai-source.ts';
import { createHub } from '../../test/internals.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';
import { memoryLog } from '../logs/memory/index.ts';
import { assistantUiStore, createRuns, rawChunks, tanstackDurability } from './index.ts';

const never = (): AbortSignal => new AbortController().signal;

/** Its outcome, soon. */
async function outcomeOf(call: () => unknown): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, 5000, 'hangs')));
  try {
    return await Promise.race([(async () => call())(), late]);
  } catch (error) {
    return (error as TidingsError).code;
  } finally {
    clearTimeout(timer);
  }
}

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const item of items) void item;
}

function start() {
  const hub = createHub({ onError: () => {} });
  const runs = createRuns(hub, { authorize: () => true, onError: () => {} });
  const chat = (): string => 'c';
  const request = (): Request => new Request('http://x/', { method: 'POST' });
  return { hub, runs, request, follow: runs.follow(rawChunks, { chat }), stop: runs.stop({ chat }) };
}

test.each(['before the records are read', 'later'])(
  'every call ends with an error once the hub is closed, and closing the runs is still allowed (%s)',
  async (when) => {
    const { hub, runs, request, follow, stop } = start();
    if (when === 'later') await runs.find('c');
    await hub.close({ within: 0 });
    const unavailable: Record<string, () => unknown> = {
      start: () => runs.start({ chat: 'c', id: '1' }, () => handSource()),
      find: () => runs.find('c'),
      'find by id': () => runs.find('c', '1'),
    };
    for (const [name, call] of Object.entries(unavailable))
      expect(await outcomeOf(call), name).toBe('hub/unavailable');
    expect(await outcomeOf(async () => (await follow(request())).status)).toBe(503);
    expect(await outcomeOf(async () => (await stop(request())).status)).toBe(503);
    expect(await outcomeOf(() => runs.close())).toBeUndefined();
    const late = createRuns(hub, { onError: () => {} });
    expect(await outcomeOf(() => late.find('c'))).toBe('hub/unavailable');
  },
);

test('every call of a run ends with an error once the hub is closed', async () => {
  const { hub, runs, request } = start();
  const run = await runs.start({ chat: 'c', id: '1' }, () => handSource());
  const [items, ended] = [outcomeOf(() => drain(run.items())), outcomeOf(() => run.ended())];
  const body = run.response(request(), rawChunks).text();
  const broken = outcomeOf(() => body);
  await hub.close({ within: 0 });
  expect(await items).toBe('hub/unavailable');
  expect(await ended).toBe('hub/unavailable');
  expect(await broken).not.toBe('hangs');
  for (const call of [() => drain(run.items()), () => run.ended(), () => run.response(request(), rawChunks)])
    expect(await outcomeOf(call)).toBe('hub/unavailable');
  const response = { headersSent: false, destroyed: false, on: vi.fn(), off: vi.fn(), writeHead: vi.fn() };
  expect(await outcomeOf(() => run.pipe({ headers: {} }, response as never, rawChunks))).toBe(
    'hub/unavailable',
  );
  // Nothing was answered: the app can say why.
  expect(response.writeHead).not.toHaveBeenCalled();
  expect(await outcomeOf(() => run.stop())).not.toBe('hangs');
  await runs.close({ within: 0 });
});

test('every call of the ports ends with an error once the hub is closed', async () => {
  const hub = createHub({ onError: () => {} });
  const store = assistantUiStore(hub);
  const durability = tanstackDurability(hub)({ runId: 'r' });
  await store.acquire('s');
  await durability.append([{ type: 'a' }]);
  const reading = [
    outcomeOf(() => drain(store.read('s', '', never()))),
    outcomeOf(() => drain(durability.read('-1', never()))),
  ];
  await store.status('s');
  await hub.close({ within: 0 });
  expect(await Promise.all(reading)).toEqual(['hub/unavailable', 'hub/unavailable']);
  const calls = {
    acquire: () => store.acquire('t'),
    append: () => store.append('s', new Uint8Array([1])),
    read: () => drain(store.read('s', '', never())),
    status: () => store.status('s'),
    finalize: () => store.finalize('s', 'done'),
    delete: () => store.delete('s'),
    'append of TanStack': () => durability.append([{ type: 'a' }]),
    'read of TanStack': () => drain(durability.read('-1', never())),
    snapshot: () => durability.snapshot(),
    close: () => durability.close(),
  };
  for (const [name, call] of Object.entries(calls))
    expect(await outcomeOf(call), name).toMatch(/^(hub\/unavailable|log\/closed|event\/conflict)$/);
});

test('an answer that could not be read to its end is not handed over as if it were whole', async () => {
  const log = memoryLog({ epoch: 'e' });
  const taken: string[] = [];
  const hub = createHub({
    log: Object.assign(Object.create(log), { close: () => Promise.resolve() }),
    onError: () => {},
  });
  const runs = createRuns(hub, { onEnd: ({ text }) => void taken.push(text), onError: () => {} });
  const source = handSource();
  const run = await runs.start({ chat: 'c', id: '1' }, () => source);
  source.push('whole ', 'answer');
  source.finish();
  await run.ended();
  await hub.close({ within: 0 });
  await runs.close({ within: 0 });
  const next = createHub({ log, onError: () => {} });
  const others = createRuns(next, { onEnd: ({ text }) => void taken.push(text), onError: () => {} });
  await vi.waitFor(() => expect(taken.length).toBeGreaterThan(0), { timeout: 20_000 });
  expect(taken.every((text) => text === 'whole answer')).toBe(true);
  await others.close({ within: 0 });
  await next.close({ within: 0 });
});
