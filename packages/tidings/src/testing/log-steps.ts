/** Steps that the cases of the contracts share. */
import assert from 'node:assert/strict';
import type { LogEntry } from '../log/entry.ts';
import type { EventLog } from '../log/event-log.ts';
import { createMatcherSet } from '../protocol/matcher-set.ts';
import type { Page, PageLimit } from '../log/page.ts';
import { type EventInput, toNewEvent } from '../protocol/event.ts';
import type { Matcher } from '../protocol/matcher.ts';

export const ALL: Matcher = { pattern: '*' };
const WHOLE: PageLimit = { events: 1000, length: 1e9 };

export function append(log: EventLog, ...events: readonly EventInput[]): ReturnType<EventLog['append']> {
  return log.append(events.map((event) => toNewEvent(event)));
}

/** Events of one topic, one call each, with their numbers as data. */
export async function appendMany(
  log: EventLog,
  topics: string | readonly string[],
  count: number,
): Promise<void> {
  for (let i = 0; i < count; i += 1) await append(log, { topics, data: i });
}

export function read(
  log: EventLog,
  after: number,
  topics: readonly Matcher[] = [ALL],
  limit: PageLimit = WHOLE,
  snapshot?: boolean,
): Promise<Page> {
  const matchers = createMatcherSet(topics);
  const wants = (entry: LogEntry): boolean => matchers.matches(entry.topics);
  return log.read({ after, matchers, wants, limit, ...(snapshot !== undefined && { snapshot }) });
}

/** Every page from `after` to the head. */
export async function readAll(
  log: EventLog,
  after: number,
  topics?: readonly Matcher[],
  limit?: PageLimit,
  snapshot?: boolean,
): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for (let pages = 0; after < log.tail.head; pages += 1) {
    assert.ok(pages < 10_000, 'a page must bring the reader forward');
    const page = await read(log, after, topics, limit, snapshot);
    assert.ok(page.next > after, 'a page must bring the reader forward');
    entries.push(...page.entries);
    after = page.next;
  }
  return entries;
}

/** Every page from the head back to `after`, newest first. */
export async function readAllBack(
  log: EventLog,
  after: number,
  topics: readonly Matcher[] = [ALL],
  limit: PageLimit = WHOLE,
): Promise<LogEntry[]> {
  const matchers = createMatcherSet(topics);
  const wants = (entry: LogEntry): boolean => matchers.matches(entry.topics);
  const entries: LogEntry[] = [];
  for (let before = log.tail.head + 1; before > after + 1;) {
    const page = await log.read({ after, before, matchers, wants, limit });
    assert.ok(page.next > after && page.next < before, 'a page must bring the reader further back');
    assert.ok(page.entries.length <= limit.events, 'a page has no more events than its limit allows');
    entries.push(...page.entries);
    before = page.next;
  }
  return entries;
}

/** The data of every event after the cursor. */
export async function dataAfter(
  log: EventLog,
  after: number,
  topics?: readonly Matcher[],
): Promise<string[]> {
  return dataOf(await readAll(log, after, topics));
}

/** The data of a snapshot. */
export async function snapshotOf(log: EventLog, topics?: readonly Matcher[]): Promise<string[]> {
  return dataOf(await readAll(log, 0, topics, undefined, true));
}

export function dataOf(entries: readonly LogEntry[]): string[] {
  return entries.map(({ data }) => data);
}

export async function lost(
  log: EventLog,
  after: number,
  matchers: readonly Matcher[],
  publicOnly = false,
): Promise<Matcher[]> {
  return (await log.losses(after, createMatcherSet(matchers), publicOnly)).map(({ matcher }) => matcher);
}

/** The entries that the tail pushes from now on. */
export function collect({ tail }: EventLog): LogEntry[] {
  const pushed: LogEntry[] = [];
  tail.onPush((entries) => void pushed.push(...entries));
  return pushed;
}

/** The events after a cursor: those in the tail, and those in the log. */
export async function tailAndLog(log: EventLog, after: number): Promise<readonly [LogEntry[], LogEntry[]]> {
  const { tail } = log;
  const from = Math.max(after, tail.floor);
  const limit = { events: Infinity, length: Infinity };
  const held = tail.read(from, () => true, limit, createMatcherSet([ALL])).entries;
  return [[...held], await readAll(log, from)];
}
