import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { EventLog } from '../../log/event-log.ts';
import { createMatcherSet } from '../../protocol/matcher-set.ts';
import { toNewEvent } from '../../protocol/event.ts';
import { Follower, createTopicRules } from '../../log/index.ts';
import { lmdbLog } from './index.ts';
import { closeStore, openStore } from './open.ts';
import { lmdbSource } from './source.ts';

const folder = mkdtempSync(join(tmpdir(), 'tidings-damage-'));
let folders = 0;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A log of events with these texts, closed again. @returns its folder. */
async function written(texts: readonly string[], retention = {}): Promise<string> {
  const path = join(folder, `${(folders += 1)}`);
  const log = lmdbLog({ path, retention });
  for (const [i, data] of texts.entries())
    await log.append([toNewEvent({ topics: [`t/${i % 2}`, 'all'], data, raw: true })]);
  await log.close();
  return path;
}

/** Changes the file wherever the text stands. */
function alter(path: string, text: string, change: (bytes: Buffer, at: number) => void): void {
  const file = join(path, 'data.mdb');
  const bytes = readFileSync(file);
  let found = 0;
  for (let at = bytes.indexOf(text); at !== -1; at = bytes.indexOf(text, at + 1)) {
    change(bytes, at);
    found += 1;
  }
  expect(found).toBeGreaterThan(0);
  writeFileSync(file, bytes);
}

/** A reader's events, page by page, and the topics reported as having lost some. */
async function readThrough(
  log: EventLog,
  topics: readonly string[],
): Promise<{ data: string[]; lost: unknown[] }> {
  const matchers = createMatcherSet(topics);
  const data: string[] = [];
  const lost = new Set<unknown>();
  for (let after = 0, pages = 0; after < log.tail.head; pages += 1) {
    expect(pages).toBeLessThan(100);
    const wants = ({ topics: of }: { topics: readonly string[] }): boolean => matchers.matches(of);
    const page = await log.read({ after, matchers, wants, limit: { events: 3, length: 1e9 } });
    if (after < log.newestLoss)
      for (const { matcher } of await log.losses(after, matchers)) lost.add(matcher);
    data.push(...page.entries.map((entry) => entry.data));
    after = page.next;
  }
  return { data, lost: [...lost] };
}

/** Follows a log from its beginning. */
async function follow(path: string): Promise<{ entries: string[]; missed: unknown[] }> {
  const store = openStore({ path, durability: 'commit', shared: true, settings: '', restored: false });
  const follower = new Follower({
    source: lmdbSource(store),
    rules: createTopicRules([]),
    tail: { epoch: store.meta.get('epoch') as string, retention: {} },
    lossCount: 0,
    onState: () => {},
    defer: setImmediate,
  });
  const entries: string[] = [];
  const missed: unknown[] = [];
  follower.tail.onPush((pushed) => entries.push(...pushed.map(({ data }) => data)));
  follower.tail.onMiss((topics) => missed.push(topics));
  await follower.catchUp();
  await closeStore(store, 'commit');
  return { entries, missed };
}

const texts = Array.from({ length: 12 }, (_, i) => `text number ${i} of an event, which the disk is to keep`);

describe('an LMDB log on a disk that lies', () => {
  test.each([
    ['a letter', 30],
    ['the length of the text', -1],
  ])(
    'says that an event is lost, instead of giving another one, where a bit of %s flipped',
    async (_, offset) => {
      const path = await written(texts);
      alter(path, texts[4] ?? '', (bytes, at) => (bytes[at + offset] = (bytes[at + offset] ?? 0) ^ 1));
      const log = lmdbLog({ path });
      const { data, lost } = await readThrough(log, ['all']);
      expect(data).toEqual(texts.filter((__, i) => i !== 4));
      expect(lost).toEqual(['all']);
      expect((await readThrough(log, ['t/1'])).data).toEqual(texts.filter((__, i) => i % 2 === 1));
      await log.close();
    },
  );

  test('has room on the disk for all of a new log’s lock file, which LMDB writes to as memory', async () => {
    // A hole in it that a full disk can't fill ends the process.
    const path = await written(['one']);
    const { size, blocks } = statSync(join(path, 'lock.mdb'));
    expect(blocks * 512).toBeGreaterThanOrEqual(size);
    expect(readdirSync(path).sort()).toEqual(['data.mdb', 'lock.mdb']);
  });

  test('goes on publishing, and trims what can’t be read', async () => {
    const path = await written(texts, { events: 12 });
    alter(path, texts[1] ?? '', (bytes, at) => bytes.fill(0, at, at + 20));
    const log = lmdbLog({ path, retention: { events: 12 } });
    for (let i = 0; i < 12; i += 1) await log.append([toNewEvent({ topics: 'all', data: i })]);
    expect((await readThrough(log, ['all'])).data).toHaveLength(12);
    expect((await log.losses(0, createMatcherSet(['all', 't/1', 'other']))).length).toBeGreaterThanOrEqual(2);
    await log.close();
  });

  test('reports to the tail an event that was altered before another process had read it', async () => {
    const path = await written([]);
    const [one, two] = [lmdbLog({ path, shared: true }), lmdbLog({ path, shared: true })];
    const [first] = await one.append(texts.map((data) => toNewEvent({ topics: 'all', data, raw: true })));
    await two.catchUp();
    expect(two.tail.head).toBe((first?.seq ?? 0) + texts.length - 1);
    await one.close();
    await two.close();
    alter(path, texts[4] ?? '', (bytes, at) => (bytes[at] = 0));
    const { entries, missed } = await follow(path);
    expect(entries).toEqual(texts.filter((_, i) => i !== 4));
    expect(missed).toEqual([undefined]);
  });

  test.each([4096, 40_000, 150_000])('is not opened if its file lacks its last %i bytes', async (missing) => {
    const path = await written([...texts, 'x'.repeat(100_000)]);
    const file = join(path, 'data.mdb');
    truncateSync(file, statSync(file).size - missing);
    expect(() => lmdbLog({ path })).toThrow(expect.objectContaining({ code: 'log/unavailable' }));
  });

  test.each([
    ['all of it', 0, Infinity],
    ['its first page', 0, 4096],
    ['its second page', 4096, 8192],
  ])('is not opened if zeros stand in %s', async (_, from, to) => {
    const path = await written(texts);
    const file = join(path, 'data.mdb');
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0, from, Math.min(to, bytes.length)));
    expect(() => lmdbLog({ path })).toThrow(expect.objectContaining({ code: 'log/unavailable' }));
  });

  test('is not opened if its file is too short to be one', async () => {
    const path = await written(texts);
    truncateSync(join(path, 'data.mdb'), 10);
    expect(() => lmdbLog({ path })).toThrow(expect.objectContaining({ code: 'log/unavailable' }));
  });
});
