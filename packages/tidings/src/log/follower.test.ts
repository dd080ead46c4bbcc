import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMatcherSet } from '../protocol/matcher-set.ts';
import { type LogEntry, entryOf } from './entry.ts';
import {
  Follower,
  type FollowerOptions,
  type LogSource,
  type SourcePage,
  type SourceQuery,
} from './follower.ts';
import { type Lineage, extendLineage } from './lineage.ts';
import { createTopicRules, isState } from './topic-rules.ts';

const rules = createTopicRules([{ match: 's', state: true }]);
const MOST_BEHIND = 8;

/** A shared log in memory, which several processes would append to. */
class FakeLog implements LogSource {
  /** Every event ever appended, and the retained ones. */
  readonly history: LogEntry[] = [];
  readonly stored = new Map<number, LogEntry>();
  readonly losses: { seq: number; topic: string }[] = [];
  /** Turns of the event loop that a read takes; and how many of the next reads fail. */
  delay = 0;
  failures = 0;
  reads = 0;
  epoch = 'e';
  lineage: Lineage = [];

  append(topic: string, key?: string): LogEntry {
    const event = { topics: [topic] as [string], key, data: '', type: undefined, id: undefined };
    const entry = entryOf({ ...event, tombstone: false, private: false }, this.history.length + 1, 0);
    const before = [...this.stored.values()].find((each) => isState(rules, each) && each.key === key);
    if (isState(rules, entry) && before !== undefined) this.stored.delete(before.seq);
    this.history.push(entry);
    this.stored.set(entry.seq, entry);
    return entry;
  }

  /** Retention takes the oldest events that are no values. */
  lose(count: number): void {
    const oldest = [...this.stored.values()].filter((entry) => !isState(rules, entry)).slice(0, count);
    for (const { seq, topics } of oldest) {
      this.stored.delete(seq);
      this.losses.push({ seq, topic: topics[0] });
    }
  }

  /** Fails over to a copy that has nothing after `end`. */
  failOver(end: number): void {
    this.lineage = extendLineage(this.lineage, this.epoch, end);
    this.epoch = `${this.epoch}+`;
    this.history.length = end;
    for (const seq of [...this.stored.keys()]) if (seq > end) this.stored.delete(seq);
  }

  get head(): number {
    return this.history.length;
  }

  async read({ after, lossCount, limit }: SourceQuery): Promise<SourcePage> {
    this.reads += 1;
    await this.#wait();
    const entries = [...this.stored.values()]
      .filter(({ seq }) => seq > after)
      .slice(0, Math.min(3, limit.events));
    const isLast = !entries.some(({ seq }) => seq < ([...this.stored.keys()].at(-1) ?? 0));
    const last = [...this.stored.keys()].at(-1) ?? 0;
    const next =
      entries.at(-1)?.seq === last || entries.length === 0 || isLast ? this.head : (entries.at(-1)?.seq ?? 0);
    const newestLoss = Math.max(0, ...this.losses.map(({ seq }) => seq));
    const state = {
      epoch: this.epoch,
      lineage: this.lineage,
      head: this.head,
      newestLoss,
      lossCount: this.losses.length,
    };
    const lost = new Set(
      this.losses.slice(lossCount).flatMap(({ seq, topic }) => (seq > after ? [topic] : [])),
    );
    const page = { entries, next, state, lost: lost.size > 2 ? undefined : [...lost] };
    await this.#wait();
    return page;
  }

  async find(seqs: readonly number[]): Promise<readonly LogEntry[]> {
    await this.#wait();
    return seqs.flatMap((seq) => this.stored.get(seq) ?? []);
  }

  async #wait(): Promise<void> {
    for (let i = 0; i < this.delay; i += 1) await Promise.resolve();
    if (this.failures === 0) return;
    this.failures -= 1;
    throw new Error('The log is away.');
  }
}

/** Everything a live reader learns: it gets pushed events, or reads the log once it missed some. */
class Reader {
  readonly pushed: LogEntry[] = [];
  readonly missed: { topics: readonly string[] | undefined; head: number }[] = [];

  constructor(follower: Follower) {
    follower.tail.onPush((entries) => void this.pushed.push(...entries));
    follower.tail.onMiss((topics) => void this.missed.push({ topics, head: follower.tail.head }));
  }

  /** Whether the reader learned in time that the event would not be pushed. */
  knowsOfMissing({ seq, topics }: LogEntry): boolean {
    return this.missed.some(
      ({ topics: some, head }) =>
        head < seq && (some === undefined || topics.some((topic) => some.includes(topic))),
    );
  }
}

function follow(
  log: FakeLog,
  capacity = 1000,
  patience?: FollowerOptions['patience'],
): { follower: Follower; reader: Reader } {
  const follower = new Follower({
    source: log,
    rules,
    tail: { epoch: 'e', head: log.head, retention: { events: capacity } },
    lossCount: log.losses.length,
    onState: () => {},
    defer: queueMicrotask,
    mostBehind: MOST_BEHIND,
    ...(patience !== undefined && { patience }),
  });
  return { follower, reader: new Reader(follower) };
}

function inTail({ tail }: Follower): LogEntry[] {
  const all = createMatcherSet([{ pattern: '*' }]);
  const limit = { events: Infinity, length: Infinity };
  return [...tail.read(tail.floor, () => true, limit, all).entries];
}

type Action =
  | { readonly kind: 'other' | 'own'; readonly topic: string; readonly count: number }
  | { readonly kind: 'lose' | 'fail' | 'delay' | 'pause'; readonly count: number }
  | { readonly kind: 'catchUp' };

const topic = fc.constantFrom('a', 'b', 's');
const count = fc.integer({ min: 1, max: 4 });
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constantFrom('other', 'own'), topic, count }),
  fc.record({ kind: fc.constantFrom('lose', 'fail', 'delay', 'pause'), count }),
  fc.constant({ kind: 'catchUp' } as const),
);

async function runAll(actions: readonly Action[]): Promise<void> {
  const log = new FakeLog();
  log.append('a');
  const start = log.head;
  const { follower, reader } = follow(log, 20);
  const waits: Promise<void>[] = [];
  const appendAll = (name: string, times: number): LogEntry[] =>
    Array.from({ length: times }, (_, i) => log.append(name, name === 's' ? `k${i % 2}` : undefined));
  for (const each of actions) {
    if (each.kind === 'other') appendAll(each.topic, each.count);
    else if (each.kind === 'own') {
      const before = log.head;
      const entries = appendAll(each.topic, each.count);
      const { head } = log;
      waits.push(
        follower.push(entries, before).then(() => expect(follower.tail.head).toBeGreaterThanOrEqual(head)),
      );
    } else if (each.kind === 'lose') log.lose(each.count);
    else if (each.kind === 'fail') log.failures += each.count;
    else if (each.kind === 'delay') log.delay = each.count - 1;
    else if (each.kind === 'pause') for (let i = 0; i < each.count * 5; i += 1) await Promise.resolve();
    else {
      const { head } = log;
      const check = (): void => expect(follower.tail.head).toBeGreaterThanOrEqual(head);
      // A failing log is the caller's to hear of.
      waits.push(follower.catchUp().then(check, () => {}));
    }
  }
  await Promise.all(waits);
  log.failures = 0;
  await follower.catchUp();

  expect(follower.tail.head).toBe(log.head);
  const seqs = reader.pushed.map(({ seq }) => seq);
  expect(seqs).toEqual([...new Set(seqs)].sort((one, two) => one - two));
  const pushed = new Set(seqs);
  for (const entry of log.history.slice(start)) {
    const isSuperseded = isState(rules, entry) && !log.stored.has(entry.seq);
    if (!pushed.has(entry.seq) && !isSuperseded) expect(reader.knowsOfMissing(entry)).toBe(true);
  }
  const states = inTail(follower).filter((entry) => isState(rules, entry));
  for (const { seq } of states) expect(log.stored.has(seq)).toBe(true);
}

describe('a follower', () => {
  test('pushes every event once and in order, or first says that it is missing', async () => {
    await fc.assert(fc.asyncProperty(fc.array(action, { maxLength: 30 }), runAll), { numRuns: 1000 });
  });

  test('pushes other processes’ events before newer ones of its own', async () => {
    const log = new FakeLog();
    const { follower, reader } = follow(log);
    log.append('a');
    const before = log.head;
    await follower.push([log.append('b')], before);
    expect(reader.pushed.map(({ topics }) => topics[0])).toEqual(['a', 'b']);
    expect(reader.missed).toEqual([]);
  });

  test('reads once for all callers that ask before a read begins, and again for later ones', async () => {
    const log = new FakeLog();
    const { follower } = follow(log);
    log.delay = 3;
    const first = [follower.catchUp(), follower.catchUp()];
    await Promise.resolve();
    log.append('a');
    const later = follower.catchUp();
    await Promise.all(first);
    await later;
    expect(log.reads).toBe(2);
    expect(follower.tail.head).toBe(1);
  });

  test('names the topics of events that retention took before it could read them', async () => {
    const log = new FakeLog();
    const { follower, reader } = follow(log);
    for (const name of ['a', 'b', 'b']) log.append(name);
    log.lose(1);
    await follower.catchUp();
    expect(reader.missed).toEqual([{ topics: ['a'], head: 0 }]);
    expect(reader.pushed.map(({ seq }) => seq)).toEqual([2, 3]);
  });

  test('skips events when there are too many, and says so first', async () => {
    const log = new FakeLog();
    const { follower, reader } = follow(log, 4);
    for (let i = 0; i < 20; i += 1) log.append('a');
    await follower.catchUp();
    expect(reader.missed).toEqual([{ topics: undefined, head: 0 }]);
    expect(reader.pushed.map(({ seq }) => seq)).toEqual([17, 18, 19, 20]);
  });

  test('removes superseded values from the tail, even if it never saw the events in between', async () => {
    const log = new FakeLog();
    const { follower } = follow(log);
    for (const key of ['k', 'other']) log.append('s', key);
    await follower.catchUp();
    for (let i = 0; i < 3; i += 1) log.append('s', 'k');
    await follower.catchUp();
    expect(inTail(follower).map(({ seq }) => seq)).toEqual([2, 5]);
  });

  test('pushes its own events, without earlier ones of others, if the log can’t be read', async () => {
    const log = new FakeLog();
    const { follower, reader } = follow(log);
    log.append('a');
    log.failures = 1;
    const before = log.head;
    await follower.push([log.append('b')], before);
    expect(reader.missed).toEqual([{ topics: undefined, head: 0 }]);
    expect(reader.pushed.map(({ seq }) => seq)).toEqual([2]);
  });

  test('tries a few times to read others’ events before it pushes its own without them', async () => {
    for (const [failures, isFound] of [
      [2, true],
      [4, false],
    ] as const) {
      const log = new FakeLog();
      let tries = 0;
      const { follower, reader } = follow(log, 1000, () => () => Promise.resolve((tries += 1) < 3));
      log.append('a');
      log.failures = failures;
      const before = log.head;
      await follower.push([log.append('b')], before);
      expect(reader.pushed.map(({ seq }) => seq)).toEqual(isFound ? [1, 2] : [2]);
      expect(reader.missed).toHaveLength(isFound ? 0 : 1);
      expect(tries).toBe(isFound ? 2 : 3);
    }
  });

  test('skips to no seq of an epoch that has ended, since events of the new one come there', async () => {
    const log = new FakeLog();
    const { follower, reader } = follow(log);
    for (let i = 0; i < 2; i += 1) log.append('a');
    await follower.catchUp();
    for (let i = 0; i < 3; i += 1) log.append('a');
    const { head } = log;
    const own = log.append('b');
    log.failOver(2);
    const read = log.read.bind(log);
    let reads = 0;
    // It learns of the new epoch, and then the engine is away.
    log.read = (query) => ((reads += 1) === 2 ? Promise.reject(new Error('away')) : read(query));
    await follower.push([own], head, 'e');
    for (let i = 0; i < 2; i += 1) log.append('new');
    await follower.catchUp();
    expect(reader.pushed.slice(2).map(({ topics }) => topics[0])).toEqual(['new', 'new']);
    expect(follower.tail.head).toBe(log.head);
  });

  test('rejects if the log can’t be read, and reads it the next time', async () => {
    const log = new FakeLog();
    const { follower, reader } = follow(log);
    log.append('a');
    log.failures = 1;
    await expect(follower.catchUp()).rejects.toThrow('The log is away.');
    await follower.catchUp();
    expect(reader.pushed).toHaveLength(1);
  });

  test('rewinds with a log that lost its end, says so first, and goes on in the new epoch', async () => {
    const log = new FakeLog();
    const { follower, reader } = follow(log);
    const { tail } = follower;
    const rewinds: unknown[] = [];
    tail.onRewind((end) => rewinds.push([end, tail.epoch, tail.head]));
    for (let i = 0; i < 5; i += 1) log.append('a');
    await follower.catchUp();
    log.failOver(3);
    log.append('b');
    await follower.catchUp();
    expect(rewinds).toEqual([[3, 'e', 5]]);
    expect([tail.epoch, tail.head]).toEqual(['e+', 4]);
    expect(inTail(follower).map(({ topics }) => topics[0])).toEqual(['a', 'a', 'a', 'b']);
    expect(reader.pushed.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 4]);
    expect(reader.missed).toEqual([]);
    // A failover that loses nothing begins a new epoch, too.
    log.failOver(4);
    await follower.catchUp();
    expect([rewinds.length, tail.epoch, tail.head]).toEqual([2, 'e++', 4]);
  });

  test('rewinds to where it parts from a copy that took over without having heard of its epoch', async () => {
    const log = new FakeLog();
    const { follower, reader } = follow(log);
    const ends: number[] = [];
    follower.tail.onRewind((end) => ends.push(end));
    for (let i = 0; i < 5; i += 1) log.append('a');
    await follower.catchUp();
    const copied = log.lineage;
    log.failOver(4);
    for (let i = 0; i < 2; i += 1) log.append('b');
    await follower.catchUp();
    log.epoch = 'e';
    log.lineage = copied;
    log.failOver(3);
    log.epoch = 'of the copy';
    log.append('c');
    await follower.catchUp();
    expect(ends).toEqual([4, 3]);
    expect(reader.pushed.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 5, 6, 4]);
    // One that shares nothing with it is read from its beginning.
    log.epoch = 'foreign';
    log.lineage = [];
    await follower.catchUp();
    expect(ends.at(-1)).toBe(0);
    expect(reader.pushed.slice(-4).map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  test('stops reading once it is stopped', async () => {
    const log = new FakeLog();
    const { follower } = follow(log);
    for (let i = 0; i < 8; i += 1) log.append('a');
    const running = follower.catchUp();
    await follower.stop();
    await running;
    const { reads } = log;
    await follower.catchUp();
    expect(log.reads).toBe(reads);
  });
});
