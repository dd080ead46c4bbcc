import { fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { DEADLINE } from '../../../../../scripts/deadline.ts';
import { until } from '../../../test/http/deadline.ts';
import type { EventLog } from '../../log/event-log.ts';
import { createMatcherSet } from '../../protocol/matcher-set.ts';
import type { NewEvent } from '../../protocol/event.ts';
import { sharedLogContract } from '../../testing/shared-log-contract.ts';
import { type LmdbLogOptions, lmdbLog } from './index.ts';

const folders: string[] = [];

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-shared-'));
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function openTwice(options: Partial<LmdbLogOptions>): readonly [EventLog, EventLog] {
  const path = newFolder();
  return [lmdbLog({ ...options, path, shared: true }), lmdbLog({ ...options, path, shared: true })];
}

function event(data: string): NewEvent {
  return {
    topics: ['a'],
    data,
    type: undefined,
    id: undefined,
    key: undefined,
    tombstone: false,
    private: false,
  };
}

/** A change of a log that leaves out one duty. */
type Fault = (log: EventLog) => PropertyDescriptorMap;

const faults: readonly (readonly [string, Fault])[] = [
  ['does not say that it is shared', () => ({ shared: { value: false } })],
  ['does not catch up', () => ({ catchUp: { value: () => Promise.resolve() } })],
  [
    'knows only its own ids',
    (log) => ({
      append: {
        value: (events: readonly NewEvent[]) =>
          log.append(events.map((each) => ({ ...each, id: undefined }))),
      },
    }),
  ],
];

describe('the contract of shared logs', () => {
  test.each(sharedLogContract)('is kept by LMDB: $name', ({ run }) => run(openTwice, DEADLINE));

  test.each(faults)('notices a log that %s', async (_, fault) => {
    const caught: unknown[] = [];
    for (const { run } of sharedLogContract) {
      const open = (options: Partial<LmdbLogOptions>): readonly [EventLog, EventLog] => {
        const [one, two] = openTwice(options);
        return [one, Object.create(two, fault(two)) as EventLog];
      };
      await run(open).catch((error: unknown) => caught.push(error));
    }
    expect(caught.length).toBeGreaterThan(0);
  });
});

interface Command {
  readonly open?: LmdbLogOptions;
  readonly append?: readonly NewEvent[];
  readonly close?: boolean;
}

interface Other {
  readonly pid: number;
  tell(command: Command): Promise<unknown>;
  kill(): Promise<void>;
}

async function startOther(): Promise<Other> {
  const child = fork(fileURLToPath(new URL('../../../test/faults/other-process.mjs', import.meta.url)));
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  onTestFinished(kill);
  await once(child, 'message');
  return {
    pid: child.pid ?? 0,
    kill,
    async tell(command) {
      const answer = once(child, 'message');
      child.send(command);
      const [said] = (await answer) as [unknown];
      return said;
    },
  };
}

describe('an LMDB log that several processes share', () => {
  test.each([
    ['topics', { topics: [{ match: 's', state: true }] }],
    ['retention', { retention: { events: 3 } }],
  ])(
    'is refused to a process with other %s, which would drop events that the others keep',
    async (_, settings) => {
      const path = newFolder();
      const other = await startOther();
      await other.tell({ open: { path, shared: true } });
      expect(() => lmdbLog({ path, shared: true, ...settings })).toThrow(
        expect.objectContaining({ code: 'log/in-use', message: expect.stringContaining('retention') }),
      );
      await other.kill();
      const log = lmdbLog({ path, shared: true, ...settings });
      expect(() => lmdbLog({ path, shared: true })).toThrow(expect.objectContaining({ code: 'log/in-use' }));
      await log.close();
      await lmdbLog({ path, shared: true }).close();
    },
  );

  test('is not kept open by a process that has ended but was not reaped by its parent', async () => {
    const path = newFolder();
    // The shell becomes a program that never asks after its child.
    const script = `import { lmdbLog } from 'tidings/lmdb'; lmdbLog({ path: ${JSON.stringify(path)} }); console.log('open'); setInterval(() => {}, 1000);`;
    const parent = spawn(
      'sh',
      ['-c', `"$0" --input-type=module -e "$1" & echo $!; exec sleep 60`, process.execPath, script],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        cwd: dirname(fileURLToPath(import.meta.url)),
      },
    );
    onTestFinished(() => void parent.kill());
    let output = '';
    parent.stdout.on('data', (text: Buffer) => (output += text.toString()));
    await until('log open elsewhere', () => output.includes('open'));
    const pid = Number.parseInt(output, 10);
    expect(() => lmdbLog({ path })).toThrow(expect.objectContaining({ code: 'log/in-use' }));
    process.kill(pid, 'SIGKILL');
    await until('zombie', () => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));
    await lmdbLog({ path }).close();
  });

  test('is closed again if its wake-ups can’t be listened to', async () => {
    const path = newFolder();
    mkdirSync(join(path, 'appended'), { recursive: true });
    expect(() => lmdbLog({ path, shared: true })).toThrow(
      expect.objectContaining({ code: 'log/unavailable' }),
    );
    await until('closed', () => {
      rmSync(join(path, 'appended'), { recursive: true, force: true });
      try {
        void lmdbLog({ path }).close();
        return true;
      } catch {
        return false;
      }
    });
  });

  test.each([
    ['one that is shared is opened for one process', true, false],
    ['one that is for one process is opened to be shared', false, true],
  ])('is refused while %s, until that process is gone', async (_, theirs, ours) => {
    const path = newFolder();
    const other = await startOther();
    await other.tell({ open: { path, shared: theirs } });
    expect(() => lmdbLog({ path, shared: ours })).toThrow(
      expect.objectContaining({ code: 'log/in-use', details: { pid: other.pid, path } }),
    );
    await other.kill();
    const log = lmdbLog({ path, shared: ours });
    const next = await startOther();
    expect(await next.tell({ open: { path, shared: theirs } })).toEqual({
      code: 'log/in-use',
      details: { pid: process.pid, path },
    });
    await log.close();
    expect(await next.tell({ open: { path, shared: theirs } })).toEqual({ head: 0 });
  });

  test('is not free until the last process has closed it', async () => {
    const path = newFolder();
    const log = lmdbLog({ path, shared: true });
    const [other, killed] = await Promise.all([startOther(), startOther()]);
    for (const { tell } of [other, killed]) await tell({ open: { path, shared: true } });
    await log.close();
    await killed.kill();
    expect(() => lmdbLog({ path })).toThrow(expect.objectContaining({ details: { pid: other.pid, path } }));
    await other.tell({ close: true });
    await lmdbLog({ path }).close();
  });

  test('finds another process’s events without a wake-up', async () => {
    const path = newFolder();
    const log = lmdbLog({ path, shared: true });
    onTestFinished(() => log.close());
    // Afterwards the other process touches a different file from the one watched here.
    rmSync(join(path, 'appended'));
    const other = await startOther();
    await other.tell({ open: { path, shared: true } });
    await other.tell({ append: [event('1'), event('2')] });
    await until('the tail has it', () => log.tail.head === 2);
    expect(
      log.tail.read(0, () => true, { events: 9, length: 99 }, createMatcherSet([{ pattern: '*' }])).entries,
    ).toHaveLength(2);
  });

  test('gets a wake-up for each commit, without waiting for its next look', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const [log, other] = openTwice({});
    onTestFinished(async () => {
      await log.close();
      await other.close();
    });
    for (let head = 1; head <= 30; head += 1) {
      await other.append([event(String(head))]);
      await until('the tail has it', () => log.tail.head === head);
    }
  });

  test('sees each commit of another process at once when asked', async () => {
    const path = newFolder();
    const log = lmdbLog({ path, shared: true });
    onTestFinished(() => log.close());
    const other = await startOther();
    await other.tell({ open: { path, shared: true } });
    for (let head = 1; head <= 20; head += 1) {
      expect(await other.tell({ append: [event(String(head))] })).toEqual({ head });
      await log.catchUp();
      expect(log.tail.head).toBe(head);
    }
  });

  test('sees another process’s commit since its last read, within the same turn', async () => {
    const path = newFolder();
    const log = lmdbLog({ path, shared: true });
    onTestFinished(() => log.close());
    await log.append([event('1')]);
    // Begins a read transaction, which the event loop would end; but that is blocked until the other one is done.
    expect(log.floor).toBe(0);
    const script = `
      import { lmdbLog } from 'tidings/lmdb';
      const log = lmdbLog({ path: ${JSON.stringify(path)}, shared: true });
      await log.append([${JSON.stringify({ ...event('2'), id: 'x' })}]);
      await log.close();`;
    const cwd = fileURLToPath(new URL('.', import.meta.url));
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd });
    expect(stderr.toString()).toBe('');
    await log.catchUp();
    expect(log.tail.head).toBe(2);
  });

  test('reports losses before the page that lacks them, and none that are still ahead', async () => {
    const topics = [{ match: 'few', retention: { events: 1 } }];
    const [log, other] = openTwice({ topics });
    onTestFinished(async () => {
      await log.close();
      await other.close();
    });
    const missed: unknown[] = [];
    const pages: number[] = [];
    log.tail.onMiss((lost) => missed.push([lost, log.tail.head]));
    log.tail.onPush(() => {
      pages.push(log.tail.head);
      expect(log.newestLoss).toBeLessThanOrEqual(log.tail.head);
    });
    const isFew = (i: number): boolean => i === 2499 || i === 4499;
    await other.append(
      Array.from({ length: 5000 }, (_, i) => ({ ...event(String(i)), topics: [isFew(i) ? 'few' : 'a'] })),
    );
    await log.catchUp();
    // The second event superseded the first.
    expect(pages).toEqual([1000, 2000, 3001, 4001, 5000]);
    expect(missed).toEqual([
      [['few'], 0],
      [['few'], 1000],
      [['few'], 2000],
    ]);
    expect(log.newestLoss).toBe(2500);
  });

  test('reaches the head, even if none of the events is kept', async () => {
    const [log, other] = openTwice({ topics: [{ match: 'a', retention: { events: 0 } }] });
    onTestFinished(async () => {
      await log.close();
      await other.close();
    });
    await other.append([{ ...event('1'), topics: ['kept'] }, event('2')]);
    await log.catchUp();
    expect(log.tail).toMatchObject({ head: 2, length: 1 });
  });

  test('leaves events to its readers if there are too many to read once for all', async () => {
    const path = newFolder();
    const tail = { events: 100 };
    const [log, other] = [lmdbLog({ path, shared: true, tail }), lmdbLog({ path, shared: true, tail })];
    onTestFinished(async () => {
      await log.close();
      await other.close();
    });
    let pushed = 0;
    const missed: unknown[] = [];
    log.tail.onPush((entries) => void (pushed += entries.length));
    log.tail.onMiss((topics) => missed.push([topics, log.tail.head]));
    await other.append(Array.from({ length: 100_200 }, (_, i) => event(String(i + 1))));
    await log.catchUp();
    expect({ head: log.tail.head, floor: log.tail.floor }).toEqual({ head: 100_200, floor: 100_100 });
    expect(missed[0]).toEqual([undefined, 0]);
    expect(pushed).toBeLessThan(1000);
    const matchers = createMatcherSet(['a']);
    const page = await log.read({ after: 0, wants: () => true, matchers, limit: { events: 3, length: 99 } });
    expect(page.entries.map(({ data }) => data)).toEqual(['1', '2', '3']);
  });

  test('can’t be relaxed', () => {
    expect(() => lmdbLog({ path: newFolder(), shared: true, durability: 'relaxed' })).toThrow(
      expect.objectContaining({ code: 'hub/invalid-option', details: { option: 'durability' } }),
    );
  });
});
