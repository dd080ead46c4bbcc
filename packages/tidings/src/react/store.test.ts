import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFakeHub, type FakeClient, type FakeHub } from '../../test/react/fake-hub.ts';
import { manualTimers } from '../../test/react/manual-timers.ts';
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
) as fc.Arbitrary<Action>;

/** A mounted component: what it shows, and what it should show. */
interface Component {
  readonly kind: Kind;
  readonly topic: Topic;
  readonly show: () => unknown;
  readonly subscribe: (listener: () => void) => () => void;
  /** What React would have on the screen. */
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
      { numRuns: 1000 },
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
      { numRuns: 500 },
    );
  });
});
