import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { open } from 'lmdb';
import { afterAll, describe, expect, test } from 'vitest';
import { DEADLINE } from '../../../../../scripts/deadline.ts';
import type { EventLog } from '../../log/event-log.ts';
import { createMatcherSet } from '../../protocol/matcher-set.ts';
import { type EventInput, toNewEvent } from '../../protocol/event.ts';
import type { Matcher } from '../../protocol/matcher.ts';
import { logContract } from '../../testing/log-contract.ts';
import { type LmdbLogOptions, lmdbLog } from './index.ts';

const folders: string[] = [];

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-lmdb-'));
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const append = (log: EventLog, ...events: readonly EventInput[]): ReturnType<EventLog['append']> =>
  log.append(events.map((event) => toNewEvent(event)));

async function dataAfter(
  log: EventLog,
  after: number,
  topics: readonly Matcher[],
  snapshot = false,
): Promise<string[]> {
  const matchers = createMatcherSet(topics);
  const found: string[] = [];
  for (let pages = 0; after < log.tail.head && pages < 1000; pages += 1) {
    const limit = { events: 50, length: 1e9 };
    const wants = ({ topics: of }: { topics: readonly string[] }): boolean => matchers.matches(of);
    const page = await log.read({ after, matchers, wants, limit, snapshot });
    found.push(...page.entries.map(({ data }) => data));
    after = page.next;
  }
  return found;
}

describe.each([
  ['with all it has read lately in memory', {}],
  ['with next to nothing in memory', { tail: { events: 2 } }],
  ['relaxed', { durability: 'relaxed' }],
  ['shared', { shared: true }],
] as const)('the LMDB log %s', (_, options: Partial<LmdbLogOptions>) => {
  test.each(logContract)('$name', ({ run }) =>
    run((given) => lmdbLog({ ...given, ...options, path: newFolder() }), DEADLINE),
  );
});

test('says where it begins also while it is being closed and afterwards, as stats ask for it', async () => {
  const log = lmdbLog({ path: newFolder(), retention: { events: 2 } });
  await append(log, ...[1, 2, 3, 4].map((data) => ({ topics: 'a', data })));
  const { floor } = log;
  const closing = log.close();
  expect(log.floor).toBe(floor);
  await closing;
  expect(log.floor).toBe(floor);
});

describe('an LMDB log that is opened again', () => {
  async function reopen(
    options: Partial<LmdbLogOptions>,
    before: (log: EventLog) => Promise<void>,
  ): Promise<EventLog> {
    const path = newFolder();
    const first = lmdbLog({ ...options, path });
    await before(first);
    await first.close();
    return lmdbLog({ ...options, path });
  }

  test('has its epoch, its events and its head', async () => {
    let epoch = '';
    const log = await reopen({}, async (first) => {
      ({ epoch } = first.tail);
      await append(first, { topics: 'a', data: 1 }, { topics: 'b', data: 2 });
    });
    expect(log.tail).toMatchObject({ epoch, head: 2, floor: 2 });
    expect(await dataAfter(log, 0, ['b'])).toEqual(['2']);
    await log.close();
  });

  test('knows its ids, and the losses to retention', async () => {
    const log = await reopen({ retention: { events: 2 } }, async (first) => {
      for (const id of ['x', 'y', 'z']) await append(first, { topics: id, data: id, id });
    });
    expect(await append(log, { topics: 'z', data: 'again', id: 'z' })).toEqual([{ seq: 3, duplicate: true }]);
    expect((await log.losses(0, createMatcherSet(['x', 'y']))).map(({ matcher }) => matcher)).toEqual(['x']);
    await log.close();
  });

  test('has the newest of each key, however old, and none that was deleted', async () => {
    const options = { retention: { events: 3 }, topics: [{ match: 'state', state: true }] };
    const log = await reopen(options, async (first) => {
      for (const key of ['a', 'b', 'a', 'c']) await append(first, { topics: 'state', data: `${key}`, key });
      await append(first, { topics: 'state', data: 'gone', key: 'c', tombstone: true });
      for (let i = 0; i < 10; i += 1) await append(first, { topics: 'noise', data: i });
    });
    expect(await dataAfter(log, 0, ['state'], true)).toEqual(['"b"', '"a"']);
    expect(await dataAfter(log, 0, [{ pattern: 'sta*' }], true)).toEqual(['"b"', '"a"']);
    await log.close();
  });

  test.each([
    ['keeps its epoch if it was closed in order', false, true],
    ['begins a new one if the machine has started anew and it was not', true, false],
  ])('relaxed, %s', async (_, poweredOff, isKept) => {
    const path = newFolder();
    const first = lmdbLog({ path, durability: 'relaxed' });
    await append(first, { topics: 'a', data: 1 });
    await first.close();
    if (poweredOff) {
      const root = open({ path, maxDbs: 12 });
      await root.openDB({ name: 'meta' }).put('relaxed-boot', 'the boot before');
      await root.close();
    }
    const second = lmdbLog({ path });
    expect(second.tail.epoch === first.tail.epoch).toBe(isKept);
    await second.close();
  });
});

describe('the LMDB log', () => {
  test('follows a topic whose name is longer than a key may be', async () => {
    const log = lmdbLog({ path: newFolder(), tail: { events: 1 } });
    const long = 'ü'.repeat(1000);
    await append(
      log,
      { topics: `${long}1`, data: 1 },
      { topics: `${long}2`, data: 2 },
      { topics: 'x', data: 3 },
    );
    expect(await dataAfter(log, 0, [`${long}1`])).toEqual(['1']);
    expect(await dataAfter(log, 0, [{ pattern: 'ü*2' }])).toEqual(['2']);
    await log.close();
  });

  test.each([30, 500])('reads what a pattern matches among %i topics, in order', async (count) => {
    const log = lmdbLog({ path: newFolder(), tail: { events: 1 } });
    const events = Array.from({ length: count }, (_, i) => ({
      topics: [`user/${i}`, `odd/${i % 2}`],
      data: i,
    }));
    await append(log, ...events, { topics: 'other', data: -1 });
    const all = events.map(({ data }) => String(data));
    expect(await dataAfter(log, 0, [{ pattern: 'user/:id' }])).toEqual(all);
    expect(await dataAfter(log, 0, [{ pattern: 'user/:id' }, 'odd/1', 'other'])).toEqual([...all, '-1']);
    await log.close();
  });

  test('looks for old events once a second, however often it is asked', async () => {
    let transactions = 0;
    const now = (): number => (transactions += 1);
    const log = lmdbLog({ path: newFolder(), retention: { age: 10_000 }, now });
    // Opening the log checked that it is a clock.
    transactions = 0;
    for (const time of [5000, 5001, 5999, 6000, 6500]) await log.trim(time);
    expect(transactions).toBe(2);
    await log.close();
  });

  test('deletes a key in time if the clock is set back after its append', async () => {
    let now = 1_700_000_000_000;
    const log = lmdbLog({
      path: newFolder(),
      topics: [{ match: 'state', state: true }],
      now: () => now,
    });
    await append(log, { topics: 'state', key: 'k', data: 1, ttl: 1000 });
    now -= 3_600_000;
    await log.trim(now);
    now += 999;
    await log.trim(now);
    expect(log.nextExpiry).toBe(1_700_000_001_000);
    now += 1;
    await log.trim(now);
    expect(log.nextExpiry).toBe(Infinity);
    await log.close();
  });

  test('opens for one process at a time, and tells another one which process has it', async () => {
    const path = newFolder();
    const log = lmdbLog({ path });
    expect(() => lmdbLog({ path })).toThrow(
      expect.objectContaining({ code: 'log/in-use', details: { pid: process.pid, path } }),
    );
    await append(log, { topics: 'a', data: 'unharmed' });
    await log.close();
    await lmdbLog({ path }).close();
  });

  test('can be opened after a crash, even if another process has got its pid since', async () => {
    const path = newFolder();
    await lmdbLog({ path }).close();
    const root = open({ path, maxDbs: 12 });
    const meta = root.openDB({ name: 'meta' });
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    await meta.put('owners', [{ pid: process.pid, thread: 0, startedAt: '1', bootId, shared: false }]);
    await root.close();
    await lmdbLog({ path }).close();
  });

  test('says what to do if the folder can’t be used', () => {
    const file = join(newFolder(), 'file');
    writeFileSync(file, '');
    expect(() => lmdbLog({ path: join(file, 'log') })).toThrow(
      expect.objectContaining({ code: 'log/unavailable' }),
    );
  });

  test('tells publishers when the disk is full, keeps what it acknowledged, and goes on', async () => {
    const path = newFolder();
    const script = fileURLToPath(new URL('../../../test/faults/full-disk.mjs', import.meta.url));
    // A process that ignores the signal gets an error instead, as from a full disk.
    const limited = `trap '' XFSZ; ulimit -f 2000; exec "$0" "$1" "$2"`;
    const { stdout } = await promisify(execFile)('bash', ['-c', limited, process.execPath, script, path]);
    const { acknowledged, failures, read } = JSON.parse(stdout) as Record<string, unknown>;
    expect(failures).toEqual(['log/write-failed', 'log/write-failed', 'log/write-failed']);
    expect(acknowledged).toBeGreaterThan(50);
    expect(read).toBe(acknowledged);
    const log = lmdbLog({ path });
    expect(log.tail.head).toBe(acknowledged);
    expect(await append(log, { topics: 'a', data: 'room again' })).toHaveLength(1);
    await log.close();
  });
});
