import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createFakeHub, type FakeClient, type FakeHub } from '../../test/react/fake-hub.ts';
import { TidingsError } from '../client/index.ts';
import { manualTimers } from '../../test/react/manual-timers.ts';
import type { Holder } from './held-topics.ts';
import type { Loaded, Reduced } from './reduced.ts';
import { createStore, PLAIN, type Store } from './store.ts';
import { latestValue, stateValues } from './values.ts';

const TOPICS = ['a', 'b', 's'] as const;
type Topic = (typeof TOPICS)[number];
const STATES = new Set(['s']);

type Action =
  | { readonly do: 'mount'; readonly kind: Kind; readonly topic: Topic }
  | { readonly do: 'unmount' | 'remount'; readonly which: number }
  | { readonly do: 'publish'; readonly topic: Topic; readonly key: 'x' | 'y' }
  | { readonly do: 'step' | 'answer'; readonly which: number }
  | { readonly do: 'rest' | 'restart' | 'fail' }
  | { readonly do: 'drop'; readonly gap: boolean };
type Kind = 'latest' | 'states' | 'loaded' | 'counted';

const which = fc.nat(20);
const topic = fc.constantFrom(...TOPICS);
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('mount'),
      kind: fc.constantFrom<Kind>('latest', 'states', 'loaded', 'counted'),
      topic,
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('unmount', 'remount'), which }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('publish'), topic, key: fc.constantFrom('x', 'y') }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('step', 'answer'), which }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('rest', 'rest', 'rest', 'restart', 'fail') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop'), gap: fc.boolean() }) },
);

/** A mounted component: what it shows, and what it should show. */
interface Component {
  readonly kind: Kind;
  readonly topic: Topic;
  readonly show: () => unknown;
  readonly subscribe: (listener: () => void) => () => void;
  /** The screen as React would have it. */
  shown: unknown;
  unsubscribe: () => void;
}

/** Events carry the topic in their type, for the wire says nothing of it. */
const typeOf = (of: Topic, key: 'x' | 'y'): string => `${of}-${key}`;
const typesOf = (of: Topic): string[] => [typeOf(of, 'x'), typeOf(of, 'y')];

function createWorld(): {
  readonly hub: FakeHub;
  readonly store: Store;
  readonly components: Component[];
  act(action: Action): Promise<void>;
  settle(): Promise<void>;
  stop(): void;
} {
  const hub = createFakeHub(STATES);
  const timers = manualTimers();
  const store = createStore(hub.opener, timers);
  const components: Component[] = [];
  /** Answers of `load` on their way: what was true when the request was made. */
  const answers: (() => void)[] = [];
  let published = 0;
  let stop = store.connection.start();

  const rest = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const current = (): FakeClient | undefined => [...hub.open][0];
  const numbers = (of: Topic): number[] =>
    hub.log.filter((event) => event.topic === of).map(({ data }) => (data as { n: number }).n);

  const load = (of: Topic) => (): Promise<Loaded<number[]>> =>
    new Promise((resolve) => {
      const loaded = { state: numbers(of), cursor: hub.cursor() };
      answers.push(() => resolve(loaded));
    });

  function reduced(of: Topic, loads: boolean): Reduced<number[]> {
    const made = store.reduced<number[]>({
      types: typesOf(of),
      topics: [of],
      hearing: PLAIN,
      initial: [],
      cursor: undefined,
    });
    made.use((state, event) => [...state, event.json<{ n: number }>().n], loads ? load(of) : undefined);
    return made;
  }

  function sourceOf(kind: Kind, of: Topic): Pick<Component, 'show' | 'subscribe'> {
    if (kind === 'loaded' || kind === 'counted') {
      const made = reduced(of, kind === 'loaded');
      return { show: () => made.get().state, subscribe: made.subscribe };
    }
    const make = kind === 'latest' ? latestValue<unknown> : () => stateValues<unknown>(undefined, []);
    const types = kind === 'latest' ? [typeOf(of, 'x')] : typesOf(of);
    const source = store.values.source<unknown>({
      key: `${kind} ${of}`,
      topics: [of],
      types,
      hearing: PLAIN,
      make,
    });
    return { show: source.get, subscribe: source.subscribe };
  }

  function subscribe(component: Component): void {
    component.shown = component.show();
    component.unsubscribe = component.subscribe(() => (component.shown = component.show()));
    // React looks again after subscribing.
    component.shown = component.show();
  }

  async function act(step: Action): Promise<void> {
    switch (step.do) {
      case 'mount': {
        const component = {
          ...step,
          ...sourceOf(step.kind, step.topic),
          shown: undefined,
          unsubscribe: () => undefined,
        };
        components.push(component);
        return subscribe(component);
      }
      case 'unmount':
        return components.splice(step.which % Math.max(components.length, 1), 1)[0]?.unsubscribe();
      case 'remount': {
        // As strict mode does.
        const component = components[step.which % Math.max(components.length, 1)];
        component?.unsubscribe();
        return component && subscribe(component);
      }
      case 'publish':
        published += 1;
        return hub.publish(step.topic, typeOf(step.topic, step.key), { n: published });
      case 'step':
        hub.step(() => step.which);
        break;
      case 'answer':
        answers.splice(step.which % Math.max(answers.length, 1), 1)[0]?.();
        break;
      case 'rest':
        await rest();
        break;
      case 'restart':
        stop();
        stop = store.connection.start();
        break;
      case 'fail':
        if (current()?.status === 'open') {
          current()?.fail();
          store.connection.reconnect();
        }
        break;
      case 'drop':
        current()?.drop(step.gap);
    }
    return undefined;
  }

  async function settle(): Promise<void> {
    for (let quiet = 0, round = 0; quiet < 3; round += 1) {
      if (round > 5_000) throw new Error('It never comes to rest.');
      await rest();
      const busy = hub.step((choices) => round % choices) || answers.length > 0 || timers.pending > 0;
      answers.shift()?.();
      timers.run();
      quiet = busy ? 0 : quiet + 1;
    }
  }

  return { hub, store, components, act, settle, stop: () => stop() };
}

const runs = Number(process.env['TIDINGS_MODEL_RUNS'] ?? 150);
// Short ones never get behind a mount, a drop and an answer.
const actions = fc.array(action, { maxLength: 80, size: 'max' });

describe('any sequence of mounts, unmounts, drops and gaps', () => {
  it('leaves every component with exactly the events of its topic', async () => {
    await fc.assert(
      fc.asyncProperty(actions, async (sequence) => {
        const { hub, components, act, settle } = createWorld();
        for (const step of sequence) {
          await act(step);
          expect(hub.open.size).toBeLessThanOrEqual(1);
        }
        await settle();
        for (const { kind, topic: of, shown, show } of components) {
          expect(shown, 'what is on the screen is what the store has').toBe(show());
          const events = hub.log.filter((event) => event.topic === of);
          // The values of a state topic have no cursor: whoever loads them too takes them by key.
          if (kind === 'loaded' && !STATES.has(of)) {
            expect(shown).toEqual(events.map(({ data }) => (data as { n: number }).n));
          }
          if (!STATES.has(of)) continue;
          if (kind === 'latest') {
            expect((shown as { data: unknown } | undefined)?.data).toEqual(
              events.findLast(({ type }) => type === 's-x')?.data,
            );
          }
          if (kind === 'states') {
            expect(Object.fromEntries((shown as ReadonlyMap<string, unknown> | undefined) ?? [])).toEqual(
              Object.fromEntries(events.map(({ type, data }) => [type, data])),
            );
          }
        }
      }),
      { numRuns: runs },
    );
  });

  it('leaves one connection for exactly the topics that are held, and none when nothing is', async () => {
    await fc.assert(
      fc.asyncProperty(actions, async (sequence) => {
        const { hub, store, components, act, settle } = createWorld();
        for (const step of sequence) await act(step);
        await settle();
        const held = new Set(components.map((component) => component.topic));
        expect(hub.open.size).toBe(held.size === 0 ? 0 : 1);
        const [client] = hub.open;
        if (client !== undefined) expect(client.topics).toEqual(held);

        for (const { unsubscribe } of components) unsubscribe();
        const spied = client;
        await settle();
        expect(hub.open.size).toBe(0);
        expect(spied?.listenerCount ?? 0).toBe(0);
        expect(store.values.size).toBe(0);
        expect(store.connection.state.get()).toEqual({ status: 'idle', error: undefined });
        expect(hub.errors).toEqual([]);
      }),
      { numRuns: runs },
    );
  });
});

describe('a connection', () => {
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  async function run(hub: FakeHub): Promise<void> {
    for (let i = 0; i < 20; i += 1) {
      await settled();
      hub.step(() => 0);
    }
    await settled();
  }

  it('goes on without the topics that the server refuses', async () => {
    const hub = createFakeHub();
    hub.forbid('secret');
    const { connection } = createStore(hub.opener, manualTimers());
    connection.start();
    const said: string[] = [];
    const holder = (name: string): Holder => ({
      begins: () => said.push(name),
      refused: ({ code }) => said.push(`${name} ${code}`),
    });
    connection.hold(['a'], holder('a'));
    await run(hub);
    connection.hold(['secret'], holder('secret'));
    connection.hold(['b'], holder('b'));
    await run(hub);
    expect(said).toEqual(['a', 'secret auth/forbidden', 'b']);
    expect(connection.state.get()).toMatchObject({ status: 'open', error: { code: 'auth/forbidden' } });
    expect(hub.errors.map(({ code }) => code)).toEqual(['auth/forbidden']);
    expect([...hub.open].map(({ topics }) => [...topics])).toEqual([['a', 'b']]);
  });

  it('that was lent gets its topics back, and keeps no listener', async () => {
    const hub = createFakeHub();
    const client = hub.opener.open(['mine'], undefined) as FakeClient;
    const { connection } = createStore(
      { owned: false, open: () => client, onError: () => undefined },
      manualTimers(),
    );
    const heard: string[] = [];
    connection.listen('a-x', ({ data }) => heard.push(data));
    const stop = connection.start();
    const begun: (readonly string[])[] = [];
    connection.hold(['a'], { begins: (begins) => begun.push(begins), refused: () => undefined });
    await run(hub);
    hub.publish('a', 'a-x', 1);
    await run(hub);
    expect([heard, begun, [...client.topics]]).toEqual([['1'], [['fake.0', 'fake.0']], ['mine', 'a']]);
    stop();
    await run(hub);
    expect([client.status, [...client.topics], client.listenerCount]).toEqual(['open', ['mine'], 0]);
  });

  it('that cannot be opened says why', async () => {
    const error = new TidingsError('client/invalid-option', 'no');
    const errors: TidingsError[] = [];
    const { connection } = createStore(
      {
        owned: true,
        open: () => {
          throw error;
        },
        onError: (reported) => errors.push(reported),
      },
      manualTimers(),
    );
    connection.start();
    connection.hold(['a'], { begins: () => undefined, refused: () => undefined });
    await settled();
    expect(connection.state.get()).toEqual({ status: 'failed', error });
    expect(errors).toEqual([error]);
  });

  it('has failed also for an app that throws when it learns why', async () => {
    const reportError = vi.fn();
    vi.stubGlobal('reportError', reportError);
    onTestFinished(() => void vi.unstubAllGlobals());
    const error = new TidingsError('client/invalid-option', 'no');
    const fails = (thrown: Error) => (): never => {
      throw thrown;
    };
    const mistake = new Error('mistake');
    const { connection } = createStore(
      { owned: true, open: fails(error), onError: fails(mistake) },
      manualTimers(),
    );
    connection.start();
    connection.hold(['a'], { begins: () => undefined, refused: () => undefined });
    await settled();
    expect(connection.state.get()).toEqual({ status: 'failed', error });
    expect(reportError.mock.calls).toEqual([[mistake]]);
  });
});

describe('a loaded state', () => {
  it('is tried again after a failure, later each time, also before the connection is open', async () => {
    const hub = createFakeHub();
    const delays: number[] = [];
    const timers = manualTimers();
    const store = createStore(hub.opener, {
      ...timers,
      setTimer: (task, delay) => (delays.push(delay), timers.setTimer(task, delay)),
    });
    store.connection.start();
    const reduced = store.reduced<string>({
      types: [],
      topics: ['a'],
      hearing: PLAIN,
      initial: '',
      cursor: undefined,
    });
    let failing = true;
    let calls = 0;
    reduced.use(
      (state) => state,
      () => {
        calls += 1;
        return failing
          ? Promise.reject(new Error('down'))
          : Promise.resolve({ state: 'loaded', cursor: 'fake.0' });
      },
    );
    reduced.subscribe(() => undefined);
    const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 3; i += 1) {
      await settled();
      expect(reduced.get()).toMatchObject({ state: '', loading: true, error: new Error('down') });
      timers.run();
    }
    failing = false;
    await settled();
    timers.run();
    await settled();
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000]);
    hub.step(() => 0);
    await settled();
    expect([reduced.get(), calls]).toEqual([{ state: 'loaded', loading: false, error: undefined }, 5]);
  });

  it('is not asked for where the page was rendered with it, unless events are missing since', async () => {
    const hub = createFakeHub();
    for (let n = 1; n <= 3; n += 1) hub.publish('a', 'a-x', { n });
    const store = createStore(
      { ...hub.opener, open: (topics) => hub.opener.open(topics, 'fake.2') },
      manualTimers(),
    );
    store.connection.start();
    let loads = 0;
    const show = (cursor: string): Reduced<number> => {
      const reduced = store.reduced<number>({
        types: ['a-x'],
        topics: ['a'],
        hearing: PLAIN,
        initial: 0,
        cursor,
      });
      reduced.use(
        (sum, event) => sum + event.json<{ n: number }>().n,
        () => ((loads += 1), Promise.resolve({ state: 100, cursor: hub.cursor() })),
      );
      reduced.subscribe(() => undefined);
      return reduced;
    };
    const settled = async (): Promise<void> => {
      for (let i = 0; i < 5; i += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        hub.step(() => 0);
      }
    };
    const exact = show('fake.2');
    await settled();
    expect([exact.get().state, loads]).toEqual([3, 0]);
    const stale = show('fake.1');
    await settled();
    expect([stale.get().state, loads]).toEqual([100, 1]);
  });
});
