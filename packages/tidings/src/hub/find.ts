import { formatCursor } from '../protocol/cursor.ts';
import type { MatcherSet } from '../protocol/matcher-set.ts';
import { topicOfTag } from '../protocol/tags.ts';
import type { LogEntry } from '../log/entry.ts';
import type { EventLog } from '../log/event-log.ts';
import type { PageLimit } from '../log/page.ts';

const FIRST: PageLimit = { events: 1, length: 1, looks: 1000 };

/** The cursor right after the earliest event that the log still has with this tag; undefined if there is none. */
export async function findTagged(log: EventLog, name: string, value: string): Promise<string | undefined> {
  const topic = topicOfTag(name, value);
  if (topic === undefined) return undefined;
  const found = await search(log, topic);
  if (found !== undefined || !log.shared) return found;
  // It may come from another process, which is a little ahead.
  await log.catchUp();
  return search(log, topic);
}

async function search(log: EventLog, topic: string): Promise<string | undefined> {
  const matchers = only(topic);
  const wants = ({ topics }: LogEntry): boolean => topics.includes(topic);
  for (let after = log.floor; after < log.tail.head;) {
    const page = await log.read({ after, wants, matchers, limit: FIRST });
    const [entry] = page.entries;
    if (entry !== undefined) return formatCursor({ epoch: log.tail.epoch, seq: entry.seq });
    after = Math.max(after + 1, page.next);
  }
  return undefined;
}

/** A set of one hidden topic, which nobody else can ask for. */
function only(topic: string): MatcherSet {
  const matchesTopic = (other: string): boolean => other === topic;
  return {
    matchers: [topic],
    topics: new Set([topic]),
    patterns: [],
    key: topic,
    matchesTopic,
    matches: (topics) => topics.includes(topic),
    covers: () => false,
  };
}
