import {
  type CompiledPattern,
  type Loss,
  type MatcherSet,
  type TopicLoss,
  lossesAfter,
} from '../../log/index.ts';
import type { Reply } from './connection.ts';
import type { State, Store } from './store.ts';

/** The most topics that lost something to look at for an answer; each is compared with all patterns. */
const MAX_SCANNED = 2000;

export async function readLosses(
  store: Store,
  state: State,
  after: number,
  matchers: MatcherSet,
): Promise<readonly Loss[]> {
  if (state.newestLoss <= after) return [];
  const places = await Promise.all(
    [...matchers.topics].map(async (topic) => [topic, await lossOf(store, topic)] as const),
  );
  const byTopic = new Map(places);
  const newest = matchers.patterns.length > 0 ? await topicsLost(store, 0) : [];
  const matches = (compiled: CompiledPattern, topic: string): boolean => compiled.matches(topic);
  return lossesAfter(after, state, matchers, { ofTopic: (topic) => byTopic.get(topic), newest, matches });
}

async function lossOf(
  { connection, key }: Store,
  topic: string,
): Promise<Omit<TopicLoss, 'topic'> | undefined> {
  const [seq, count] = await Promise.all([
    connection.send(['HGET', key('lost'), topic]),
    connection.send(['ZSCORE', key('losses'), topic]),
  ]);
  return seq === null || count === null ? undefined : { seq: Number(seq), count: Number(count) };
}

/** Topics that lost something since so many losses had been counted, the last first; undefined if there are too many. */
export async function topicsLost(
  { connection, key }: Store,
  since: number,
): Promise<readonly TopicLoss[] | undefined> {
  const range = [
    'ZREVRANGEBYSCORE',
    key('losses'),
    '+inf',
    `(${since}`,
    'WITHSCORES',
    'LIMIT',
    '0',
    String(MAX_SCANNED + 1),
  ];
  // The third version of the protocol puts each pair into a list of its own.
  const pairs = ((await connection.send(range)) as readonly Reply[]).flat() as readonly string[];
  if (pairs.length === 0) return [];
  const topics = pairs.filter((_, i) => i % 2 === 0);
  if (topics.length > MAX_SCANNED) return undefined;
  const seqs = (await connection.send(['HMGET', key('lost'), ...topics])) as readonly (string | null)[];
  return topics.map((topic, i) => ({ topic, seq: Number(seqs[i] ?? 0), count: Number(pairs[2 * i + 1]) }));
}
