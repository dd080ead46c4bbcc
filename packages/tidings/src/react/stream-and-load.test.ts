import { afterEach, describe, expect, it, vi } from 'vitest';
import { createFakeHub, type FakeHub } from '../../test/react/fake-hub.ts';
import { manualTimers, type ManualTimers } from '../../test/react/manual-timers.ts';
import type { Audience } from './notifier.ts';
import { createReduced, type Loaded, type Reduced } from './reduced.ts';
import { createStore, PLAIN } from './store.ts';

async function run(hub: FakeHub): Promise<void> {
  for (let i = 0; i < 20; i += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    hub.step(() => 0);
  }
}

type Answer = (loaded: Loaded<number[]>) => void;

/** The numbers that events of the type `x` brought, after those that were loaded. */
function numbers(
  hub: FakeHub,
  cursor?: string,
): { reduced: Reduced<number[]>; answers: Answer[]; timers: ManualTimers } {
  const timers = manualTimers();
  const store = createStore(hub.opener, timers);
  store.connection.start();
  const answers: Answer[] = [];
  const reduced = store.reduced<number[]>({
    types: ['x'],
    topics: ['a'],
    hearing: PLAIN,
    initial: [],
    cursor,
  });
  reduced.use(
    (state, event) => [...state, event.json<number>()],
    () => new Promise((resolve) => answers.push(resolve)),
  );
  reduced.subscribe(() => undefined);
  return { reduced, answers, timers };
}

describe('an event without an id of its own', () => {
  it('reaches a state that has everything up to the cursor of the connection', async () => {
    const hub = createFakeHub();
    hub.publish('a', 'x', 1);
    const { reduced, answers } = numbers(hub);
    await run(hub);
    answers.shift()?.({ state: [1], cursor: hub.cursor() });
    await run(hub);
    hub.send('x', 100);
    await run(hub);
    expect(reduced.get()).toEqual({ state: [1, 100], loading: false, error: undefined });
  });

  it('that comes while the state is loaded is kept, and says nothing of where the state is', async () => {
    const hub = createFakeHub();
    const { reduced, answers } = numbers(hub);
    await run(hub);
    hub.send('x', 100);
    await run(hub);
    // The answer is ahead of the stream.
    hub.publish('a', 'x', 1);
    answers.shift()?.({ state: [1], cursor: hub.cursor() });
    await run(hub);
    expect(reduced.get()).toEqual({ state: [1, 100], loading: false, error: undefined });
  });
});

describe('an answer that is behind the stream', () => {
  /** Has loaded two events that the stream has brought. */
  async function loaded(hub: FakeHub): Promise<ReturnType<typeof numbers>> {
    const made = numbers(hub);
    await run(hub);
    for (const n of [1, 2]) hub.publish('a', 'x', n);
    await run(hub);
    made.answers.shift()?.({ state: [1, 2], cursor: 'fake.2' });
    await run(hub);
    expect(made.reduced.get()).toMatchObject({ state: [1, 2], loading: false });
    return made;
  }

  async function expectAnother(
    hub: FakeHub,
    { reduced, answers, timers }: ReturnType<typeof numbers>,
  ): Promise<void> {
    answers.shift()?.({ state: [1], cursor: 'fake.1' });
    await run(hub);
    expect(reduced.get()).toMatchObject({ loading: true });
    timers.run();
    await run(hub);
    answers.shift()?.({ state: [1, 2], cursor: 'fake.2' });
    await run(hub);
    expect(reduced.get()).toEqual({ state: [1, 2], loading: false, error: undefined });
  }

  it('does not end a reload', async () => {
    const hub = createFakeHub();
    const made = await loaded(hub);
    made.reduced.reload();
    await run(hub);
    await expectAnother(hub, made);
  });

  it('does not close a gap', async () => {
    const hub = createFakeHub();
    const made = await loaded(hub);
    for (const client of hub.open) client.drop(true);
    await run(hub);
    await expectAnother(hub, made);
  });

  it('of the gap itself is known once the frame of the gap was handed out', async () => {
    const hub = createFakeHub();
    const made = numbers(hub);
    await run(hub);
    made.answers.shift()?.({ state: [], cursor: 'fake.0' });
    await run(hub);
    for (const client of hub.open) client.drop(true);
    for (const n of [1, 2]) hub.publish('a', 'x', n);
    await run(hub);
    await expectAnother(hub, made);
  });
});

describe('an app that makes mistakes', () => {
  afterEach(() => vi.unstubAllGlobals());

  it.each([undefined, null, 7, {}])(
    'and returns %j as the cursor of its state is asked again later, not in a loop',
    async (cursor) => {
      const hub = createFakeHub();
      const { reduced, answers, timers } = numbers(hub);
      await run(hub);
      answers.shift()?.({ state: [1], cursor: cursor as never });
      await run(hub);
      expect(reduced.get()).toMatchObject({ loading: true, error: { code: 'client/load-failed' } });
      expect(answers).toEqual([]);
      timers.run();
      await run(hub);
      answers.shift()?.({ state: [1], cursor: hub.cursor() });
      await run(hub);
      expect(reduced.get()).toEqual({ state: [1], loading: false, error: undefined });
    },
  );

  it('and returns nothing at all is asked again later', async () => {
    const hub = createFakeHub();
    const { reduced, answers } = numbers(hub);
    await run(hub);
    answers.shift()?.(undefined as never);
    await run(hub);
    expect(reduced.get()).toMatchObject({ loading: true, error: { code: 'client/load-failed' } });
    expect(answers).toEqual([]);
  });

  it('and throws while it takes the state that ends the loading gets the error as an uncaught one', async () => {
    const reportError = vi.fn();
    vi.stubGlobal('reportError', reportError);
    const hub = createFakeHub();
    const { connection } = createStore(hub.opener, manualTimers());
    connection.start();
    const error = new Error('no');
    const told = ({ listeners }: Audience): void => listeners.forEach((listener) => listener());
    const reduced = createReduced<number[]>(
      connection,
      { changed: told },
      {
        types: ['x'],
        topics: ['a'],
        hearing: PLAIN,
        initial: [],
        cursor: undefined,
        timers: manualTimers(),
      },
    );
    const answers: Answer[] = [];
    reduced.use(
      (state) => state,
      () => new Promise((resolve) => answers.push(resolve)),
    );
    reduced.subscribe(() => {
      if (!reduced.get().loading) throw error;
    });
    await run(hub);
    answers.shift()?.({ state: [1], cursor: hub.cursor() });
    await run(hub);
    expect(reduced.get()).toEqual({ state: [1], loading: false, error: undefined });
    expect(reportError.mock.calls).toEqual([[error]]);
  });

  it('and throws for an event, whenever it came, gets the error as an uncaught one and the other events', async () => {
    const reportError = vi.fn();
    vi.stubGlobal('reportError', reportError);
    const hub = createFakeHub();
    const { reduced, answers } = numbers(hub);
    reduced.use(
      (state, event) => {
        const n = event.json<number>();
        if (n < 0) throw new Error('negative');
        return [...state, n];
      },
      () => new Promise((resolve) => answers.push(resolve)),
    );
    await run(hub);
    for (const n of [1, -1, 2]) hub.publish('a', 'x', n);
    await run(hub);
    answers.shift()?.({ state: [], cursor: 'fake.0' });
    await run(hub);
    for (const n of [-2, 3]) hub.publish('a', 'x', n);
    await run(hub);
    expect(reduced.get()).toEqual({ state: [1, 2, 3], loading: false, error: undefined });
    expect(reportError).toHaveBeenCalled();
  });
});
