/** What the cases of the contracts do with a log. */
import type { EventLog } from '../log/event-log.ts';
import { createMatcherSet } from '../protocol/matcher-set.ts';
import type { Page } from '../log/page.ts';
import { type EventInput, toNewEvent } from '../protocol/event.ts';
import type { Matcher } from '../protocol/matcher.ts';

export function append(log: EventLog, ...events: readonly EventInput[]): ReturnType<EventLog['append']> {
  return log.append(events.map((event) => toNewEvent(event)));
}

export function read(
  log: EventLog,
  after: number,
  topics?: readonly Matcher[],
  limit: { events: number; length: number } = { events: 1000, length: 1e9 },
): Promise<Page> {
  const matchers = createMatcherSet(topics ?? [{ pattern: '*' }]);
  return log.read({ after, matchers, wants: (entry) => matchers.matches(entry.topics), limit });
}

export async function lost(log: EventLog, after: number, matchers: readonly Matcher[]): Promise<Matcher[]> {
  return (await log.losses(after, createMatcherSet(matchers))).map(({ matcher }) => matcher);
}
