import { expect, test } from 'vitest';
import { inTurns } from '../../../test/model/turns.ts';
import { settle } from '../../../test/peer.ts';
import type { LogEntry } from '../../log/entry.ts';
import type { EventLog } from '../../log/event-log.ts';
import { memoryLog } from '../../logs/memory/index.ts';
import type { NewEvent } from '../../protocol/event.ts';
import { type ManualClock, createManualClock } from '../../testing/manual-clock.ts';
import type { HubStats } from '../hub-stats.ts';
import { HUB_TOPICS, hubEvent } from './hub-topics.ts';
import { Ledger, type LedgerReader } from './ledger.ts';
import { Nodes } from './nodes.ts';

interface Setup {
  readonly clock: ManualClock;
  readonly log: EventLog;
  readonly ledger: Ledger;
  readonly failures: unknown[];
  readonly turn: () => Promise<void>;
}

function setUp(): Setup {
  const clock = createManualClock();
  const log = memoryLog({ epoch: 'e', now: clock.now });
  const failures: unknown[] = [];
  const report = (error: unknown): void => void failures.push(error);
  const ledger = new Ledger({ log, clock, report, presence: true });
  const turn = async (): Promise<void> => {
    for (let i = 0; i < 3; i += 1) {
      await settle();
      clock.tick();
    }
    await settle();
  };
  return { clock, log, ledger, failures, turn };
}

test('entries that came while the log was read don’t count if the log then loses its end', async () => {
  const { log, ledger, failures, turn } = setUp();
  let found: number[] = [];
  const reader: LedgerReader = {
    apply: ({ seq }: LogEntry) => void found.push(seq),
    reset: () => void (found = []),
  };
  ledger.add(reader);
  // The lost events are gone from the log as well.
  const read = log.read.bind(log);
  log.read = async (query) => {
    const { entries, next } = await read(query);
    return { entries: entries.filter(({ seq }) => seq <= log.tail.head), next };
  };
  ledger.start();
  const order = { subject: 'ann', before: 1 };
  await log.append([hubEvent(HUB_TOPICS.revocations, 'kept', order)]);
  log.tail.miss();
  await log.append([hubEvent(HUB_TOPICS.revocations, 'lost', order)]);
  log.tail.rewind('after', 1);
  await turn();
  expect(found).toEqual([1]);
  expect(failures).toEqual([]);
});

test('a node goes on as a new one when the log has lost its end, even if its lease was kept', async () => {
  const { clock, log, ledger, failures, turn } = setUp();
  const report = (error: unknown): void => void failures.push(error);
  const stats = (): HubStats => ({}) as HubStats;
  const nodes = new Nodes({ log, clock, name: undefined, lease: 5000, stats, report });
  ledger.add(nodes);
  let startedOver = 0;
  nodes.add({ began: () => {}, ended: () => {}, startedOver: () => void (startedOver += 1) });
  ledger.start();
  nodes.start();
  await turn();
  const before = nodes.id;
  expect(nodes.active).toEqual([before]);
  log.tail.rewind('after', log.tail.head);
  await turn();
  expect(startedOver).toBe(1);
  expect(nodes.id).not.toBe(before);
  // The others needn't wait until the old lease expires.
  expect(nodes.active).toEqual([nodes.id]);
  log.tail.miss();
  await turn();
  expect(startedOver).toBe(1);
  expect(failures).toEqual([]);
});

test('what the hubs have written is applied in slices, and what comes meanwhile after it', async () => {
  const clock = inTurns(createManualClock());
  const log = memoryLog({ epoch: 'e', now: clock.now });
  const report = (error: unknown): void => {
    throw error;
  };
  const ledger = new Ledger({ log, clock, report, presence: true });
  const total = 1800;
  await log.append(
    Array.from({ length: total }, (_, n) => hubEvent(HUB_TOPICS.revocations, `${n}`, { before: n })),
  );
  const seqs: number[] = [];
  let loaded = 0;
  ledger.add({
    apply: ({ seq }) => void seqs.push(seq),
    reset: () => seqs.splice(0),
    loaded: () => void (loaded += 1),
  });
  ledger.start();
  let most = 0;
  let isMore = true;
  for (let turns = 0; turns < 100 && loaded === 0; turns += 1) {
    const before = seqs.length;
    clock.turn();
    await settle();
    most = Math.max(most, seqs.length - before);
    if (seqs.length === 0 || !isMore) continue;
    isMore = false;
    await log.append([hubEvent(HUB_TOPICS.revocations, '0', { before: -1 })]);
  }
  expect(most).toBe(500);
  expect(loaded).toBe(1);
  expect(seqs).toEqual(Array.from({ length: total + 1 }, (_, i) => i + 1));
});

test('a value that was replaced while the log was read is known once it has been read', async () => {
  const { log, ledger, failures, turn } = setUp();
  const lease = (value: string): NewEvent => hubEvent(HUB_TOPICS.nodes, 'node', value);
  await log.append([lease('old'), hubEvent(HUB_TOPICS.nodes, 'other', 'other')]);
  const found: string[] = [];
  let known: readonly string[] = [];
  ledger.add({
    apply: ({ data }) => void found.push(data),
    reset: () => found.splice(0),
    loaded: () => void (known = [...found]),
  });
  // Another process replaces it between the look for its seq and the look for its value.
  const read = log.read.bind(log);
  log.read = async (query) => {
    const { entries, next } = await read(query);
    return { entries: entries.filter(({ key }) => key !== 'node'), next };
  };
  let catchUps = 0;
  log.catchUp = async () => {
    catchUps += 1;
    if (catchUps === 2) await log.append([lease('new')]);
  };
  ledger.start();
  await turn();
  expect(known).toEqual(['"other"', '"new"']);
  expect(failures).toEqual([]);
});
