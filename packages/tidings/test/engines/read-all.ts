import { type EventLog, type LogEntry, createMatcherSet } from '../../src/log/index.ts';

const everything = createMatcherSet([{ pattern: '*' }]);
const limit = { events: 1000, length: 1_000_000 };

/** All that a log has, read page by page. */
export async function readAll(log: EventLog): Promise<LogEntry[]> {
  const found: LogEntry[] = [];
  for (let after = 0; after < log.tail.head;) {
    const { entries, next } = await log.read({ after, matchers: everything, wants: () => true, limit });
    found.push(...entries);
    after = next;
  }
  return found;
}
