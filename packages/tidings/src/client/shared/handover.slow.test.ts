import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DEADLINE } from '../../../../../scripts/deadline.ts';
import { createFakeBrowser, type FakeTab } from '../../../test/client/fake-browser.ts';
import { until } from '../../../test/http/deadline.ts';
import { sse } from '../../fetch/index.ts';
import { createHub, type Hub } from '../../index.ts';
import { connect, type EventClient } from '../index.ts';
// Parts that clients load on demand are here from the start: with clocks that are so fast, a busy machine would be too late.
import '../changing-topics.ts';
import '../sharing.ts';

const RUNS = Number(process.env['TIDINGS_MODEL_RUNS'] ?? 40);
/** How much faster than a real browser's the clocks are. */
const SPEED = 25;
const TOPICS = ['a', 'b', 'c'] as const;
/** The one that tabs add and drop. */
const CHANGING = 'c';

type Step =
  | { readonly do: 'publish'; readonly topic: (typeof TOPICS)[number] }
  | { readonly do: 'open'; readonly topics: readonly string[] }
  | { readonly do: 'close' | 'crash' | 'hang' | 'freeze' | 'thaw' | 'add' | 'drop'; readonly tab: number }
  | { readonly do: 'cut' }
  | { readonly do: 'wait'; readonly milliseconds: number };

const tab = fc.nat({ max: 5 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ do: fc.constant('publish' as const), topic: fc.constantFrom(...TOPICS) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('open' as const),
      topics: fc.constantFrom<readonly string[]>(['a'], ['b'], ['a', 'b']),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('close' as const, 'crash' as const), tab }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('freeze' as const, 'hang' as const), tab }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('thaw' as const), tab }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('add' as const, 'drop' as const), tab }) },
  { weight: 1, arbitrary: fc.constant({ do: 'cut' as const }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('wait' as const), milliseconds: fc.nat({ max: 20 }) }),
  },
);

interface Published {
  readonly topic: string;
  readonly n: number;
  readonly seq: number;
}

interface Tab extends FakeTab {
  readonly client: EventClient;
  readonly topics: readonly string[];
  /** Seq after which it is to have everything. */
  readonly from: number;
  readonly received: { readonly topic: string; readonly n: number }[];
  readonly gaps: unknown[];
  /** After which seq it was promised `c`, and up to which. */
  readonly promises: { from: number; until: number }[];
  gone: boolean;
  frozen: boolean;
}

const seqOf = (cursor: string): number => Number(cursor.split('.')[1]);

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Numbers from 0 up to 1 that are the same for the same seed: https://gist.github.com/tommyettinger/46a874533244883189143505d203312c */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

class World {
  readonly hub: Hub = createHub({ heartbeat: 100, retry: 50 });
  readonly tabs: Tab[] = [];
  readonly published: Published[] = [];
  readonly #random: () => number;
  readonly #browser;

  constructor(seed: number) {
    this.#random = dice(seed);
    const handle = sse(this.hub);
    this.#browser = createFakeBrowser(
      (url: string, init: RequestInit) => handle(new Request(url, init)),
      SPEED,
      () => Math.floor(this.#random() * 4),
    );
  }

  async take(now: Step): Promise<void> {
    if (now.do === 'publish') return this.publish(now.topic);
    if (now.do === 'open') return this.open(now.topics);
    if (now.do === 'wait') return sleep(now.milliseconds);
    if (now.do === 'cut') {
      this.hub.disconnect(() => true, { retry: 20 });
      return;
    }
    const living = this.tabs.filter(({ gone }) => !gone);
    const one = living[now.tab % Math.max(living.length, 1)];
    if (one === undefined) return;
    if (now.do === 'close' || now.do === 'crash') {
      one.gone = true;
      if (now.do === 'close') one.client.close();
      else one.crash();
    } else if (now.do === 'freeze' || now.do === 'hang') {
      if (!one.frozen) one.freeze(now.do === 'freeze');
      one.frozen = true;
    } else if (now.do === 'thaw') this.thaw(one);
    else if (!one.frozen) this.change(one, now.do);
  }

  async publish(topic: string): Promise<void> {
    const n = this.published.length;
    const { cursor } = await this.hub.publish(topic, n, { type: topic });
    this.published.push({ topic, n, seq: seqOf(cursor) });
  }

  async open(topics: readonly string[]): Promise<void> {
    const browserTab = this.#browser.openTab();
    const cursor = this.hub.cursor();
    const client = connect('/events', {
      shared: { environment: browserTab.shared },
      environment: browserTab.environment,
      timers: browserTab.timers,
      fetch: browserTab.fetch,
      random: this.#random,
      topics,
      cursor,
    });
    const opened: Tab = {
      ...browserTab,
      client,
      topics,
      from: seqOf(cursor),
      received: [],
      gaps: [],
      promises: [],
      gone: false,
      frozen: false,
    };
    for (const topic of TOPICS)
      client.on(topic, ({ data }) => opened.received.push({ topic, n: Number(data) }));
    client.onGap((gaps) => opened.gaps.push(...gaps));
    this.tabs.push(opened);
  }

  thaw(one: Tab): void {
    if (!one.frozen) return;
    one.frozen = false;
    one.thaw();
  }

  change(one: Tab, what: 'add' | 'drop'): void {
    const ignore = (): void => {};
    if (what === 'add') {
      const promise = { from: Infinity, until: Infinity };
      one.promises.push(promise);
      one.client.subscribe(CHANGING).then((cursor) => (promise.from = seqOf(cursor)), ignore);
    } else {
      for (const promise of one.promises) promise.until = 0;
      one.client.unsubscribe(CHANGING).catch(ignore);
    }
  }

  async settle(): Promise<void> {
    const living = this.tabs.filter(({ gone }) => !gone);
    for (const one of living) this.thaw(one);
    await until('open tabs', () => living.every(({ client }) => client.status === 'open'));
    // In this order, a tab that has the last of its own has all before.
    for (const topic of TOPICS.toReversed()) await this.publish(topic);
    for (const one of living) {
      const due = this.due(one);
      await until(`${due.length} events of ${one.topics.join()}`, () => fixedOf(one).length >= due.length);
    }
    const isOne = (): boolean => this.hub.connections().filter(({ phase }) => phase === 'live').length === 1;
    if (living.length > 0) await until('one connection', isOne);
  }

  due({ topics, from }: Tab): readonly number[] {
    return this.published.filter(({ topic, seq }) => topics.includes(topic) && seq > from).map(({ n }) => n);
  }

  async end(): Promise<void> {
    for (const one of this.tabs) if (!one.gone) one.client.close();
    await this.hub.close({ within: 0 });
  }
}

const fixedOf = ({ received, topics }: Tab): readonly number[] =>
  received.filter(({ topic }) => topics.includes(topic)).map(({ n }) => n);

function check(world: World, one: Tab): void {
  const due = world.due(one);
  const fixed = fixedOf(one);
  // One that is gone has a beginning of it.
  expect(fixed).toEqual(one.gone ? due.slice(0, fixed.length) : due);
  const all = one.received.map(({ n }) => n);
  expect(all).toEqual([...new Set(all)].toSorted((x, y) => x - y));
  expect(one.gaps).toEqual([]);
  if (one.gone) return;
  for (const promise of one.promises) {
    for (const { topic, n, seq } of world.published) {
      if (topic === CHANGING && seq > promise.from && seq <= promise.until) expect(all).toContain(n);
    }
  }
}

it(
  'Whichever tabs come, go, crash, freeze and hang, each gets what is published on its topics, once and in order',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(step, { minLength: 10, maxLength: 60 }),
        async (seed, steps) => {
          const world = new World(seed);
          try {
            await world.open(['a', 'b']);
            for (const now of steps) await world.take(now);
            await world.settle();
            for (const one of world.tabs) check(world, one);
          } finally {
            await world.end();
          }
        },
      ),
      { numRuns: RUNS, endOnFailure: true },
    );
  },
  10 * DEADLINE,
);
