import { cpSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { DEADLINE } from '../../../../../scripts/deadline.ts';
import type { EventLog } from '../../log/event-log.ts';
import { locate } from '../../log/lineage.ts';
import { type EventInput, toNewEvent } from '../../protocol/event.ts';
import { type LosingLogFactory, lineageContract } from '../../testing/lineage-contract.ts';
import { lmdbLog } from './index.ts';
import { openWakeUps } from './wake-ups.ts';

const folder = mkdtempSync(join(tmpdir(), 'tidings-copies-'));
let folders = 0;
const newPath = (): string => join(folder, `${(folders += 1)}`);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const append = (log: EventLog, ...events: readonly EventInput[]): ReturnType<EventLog['append']> =>
  log.append(events.map((event) => toNewEvent(event)));

/** A folder that is copied and later restored over the newer one. */
function backedUp({ restored = false, shared = false }): LosingLogFactory {
  return (given) => {
    const path = newPath();
    const backup = newPath();
    let log = lmdbLog({ ...given, path, shared });
    return Promise.resolve({
      log,
      keep: () => Promise.resolve(cpSync(path, backup, { recursive: true })),
      lose: async () => {
        await log.close();
        // Over the existing file, or after deleting it: a copy over a file keeps the file's inode.
        if (!restored) rmSync(path, { recursive: true });
        cpSync(backup, path, { recursive: true });
        log = lmdbLog({ ...given, path, shared, restored });
        return log;
      },
    });
  };
}

describe.each([
  ['finds itself in another file', {}],
  ['is opened with `restored`, though the file is the same', { restored: true }],
  ['is shared', { shared: true }],
])('an LMDB log that was restored from a backup, and %s,', (_, options) => {
  test.each(lineageContract)('$name', ({ run }) => run(backedUp(options), DEADLINE));
});

describe('the epoch of an LMDB log', () => {
  test('outlives restarts and moving the folder', async () => {
    const path = newPath();
    const first = lmdbLog({ path });
    await append(first, { topics: 'a', data: 1 });
    await first.close();
    const moved = newPath();
    renameSync(path, moved);
    const second = lmdbLog({ path: moved });
    expect([second.tail.epoch, second.lineage]).toEqual([first.tail.epoch, []]);
    await second.close();
  });

  test('changes after a power failure in which a relaxed log may have lost events', async () => {
    const path = newPath();
    const first = lmdbLog({ path, durability: 'relaxed' });
    await append(first, { topics: 'a', data: 1 });
    await first.close();
    const root = open({ path, maxDbs: 24 });
    await root.openDB({ name: 'meta' }).put('relaxed-boot', 'the boot before');
    await root.close();
    const second = lmdbLog({ path, durability: 'relaxed' });
    const { epoch, head } = second.tail;
    const standing = (seq: number): unknown =>
      locate({ epoch: first.tail.epoch, seq }, { epoch, head, lineage: second.lineage });
    expect([standing(1), standing(2)]).toEqual([
      { is: 'known', seq: 1 },
      { is: 'rewound', seq: 1 },
    ]);
    await second.close();
  });

  test('can’t be changed by saying `restored` while the log is open elsewhere', async () => {
    const path = newPath();
    const log = lmdbLog({ path, shared: true });
    expect(() => lmdbLog({ path, shared: true, restored: true })).toThrow(
      expect.objectContaining({ code: 'log/in-use' }),
    );
    await log.close();
  });
});

describe('the folder of an LMDB log', () => {
  test('may have a dot in its name', async () => {
    const path = join(newPath(), 'events.v1');
    const log = lmdbLog({ path });
    await append(log, { topics: 'a', data: 1 });
    await log.close();
    const again = lmdbLog({ path });
    expect(again.tail.head).toBe(1);
    await again.close();
  });

  test.each([
    ['removed', (path: string): void => rmSync(path, { recursive: true })],
    ['put elsewhere', (path: string): void => renameSync(path, newPath())],
    [
      'replaced',
      (path: string): void => {
        renameSync(path, newPath());
        cpSync(join(folder, `${folders}`), path, { recursive: true });
      },
    ],
  ])('that is %s while the log is open makes publishes reject', async (_, change) => {
    const path = newPath();
    const log = lmdbLog({ path });
    await append(log, { topics: 'a', data: 1 });
    change(path);
    await expect(append(log, { topics: 'a', data: 2 })).rejects.toMatchObject({
      code: 'log/unavailable',
    });
    expect(log.tail.head).toBe(1);
    await log.close();
  });

  test('without the lock file that a shared log has open makes publishes reject', async () => {
    const path = newPath();
    const log = lmdbLog({ path, shared: true });
    await append(log, { topics: 'a', data: 1 });
    // A process that opens the log now makes another one: both could write at the same time.
    rmSync(join(path, 'lock.mdb'));
    await expect(append(log, { topics: 'a', data: 2 })).rejects.toMatchObject({ code: 'log/unavailable' });
    await log.close();
  });
});

describe('a second copy of the package in one process', () => {
  async function copyOfPackage(): Promise<typeof import('./index.ts')> {
    vi.resetModules();
    return import('./index.ts');
  }

  test('is refused the log that is open for one process', async () => {
    const path = newPath();
    const log = lmdbLog({ path });
    const copy = await copyOfPackage();
    expect(copy.lmdbLog).not.toBe(lmdbLog);
    expect(() => copy.lmdbLog({ path })).toThrow(expect.objectContaining({ code: 'log/in-use' }));
    await log.close();
    await copy.lmdbLog({ path }).close();
  });

  test('shares the log with `shared`, as a process would', async () => {
    const path = newPath();
    const log = lmdbLog({ path, shared: true });
    const copy = (await copyOfPackage()).lmdbLog({ path, shared: true });
    const data: string[] = [];
    copy.tail.onPush((entries) => data.push(...entries.map((entry) => entry.data)));
    for (let i = 0; i < 20; i += 1) await append(i % 2 === 0 ? log : copy, { topics: 'a', data: i });
    await copy.catchUp();
    expect(data).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
    await log.close();
    await append(copy, { topics: 'a', data: 'still open' });
    await copy.close();
  });

  test('is also refused if it shares no globals with the first', async () => {
    const path = newPath();
    const log = lmdbLog({ path, shared: true });
    const registry = (globalThis as Record<symbol, unknown>)[Symbol.for('tidings.lmdb.opened')] as Map<
      string,
      unknown
    >;
    const known = [...registry];
    registry.clear();
    expect(() => lmdbLog({ path, shared: true })).toThrow(expect.objectContaining({ code: 'log/in-use' }));
    for (const [key, value] of known) registry.set(key, value);
    await log.close();
  });
});

test('dead processes are looked for every ten seconds', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  let checks = 0;
  const wakeUps = openWakeUps(
    folder,
    () => {},
    () => (checks += 1),
  );
  vi.advanceTimersByTime(35_000);
  wakeUps.close();
  expect(checks).toBe(3);
});
