import type { CompiledPattern, Loss, MatcherSet } from '../../log/index.ts';
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
  const topics = [...matchers.topics];
  const losses: Loss[] = await Promise.all(
    topics.map(async (topic) => ({ matcher: topic, ...((await lossOf(store, topic)) ?? state.forgotten) })),
  );
  if (matchers.patterns.length > 0) {
    const lost = await topicsLost(store, 0);
    for (const compiled of matchers.patterns) {
      const loss = lossMatching(state, lost, after, compiled);
      losses.push({ matcher: { pattern: compiled.pattern }, ...loss });
    }
  }
  return losses.filter(({ seq }) => seq > after);
}

interface TopicLoss {
  readonly topic: string;
  readonly seq: number;
  readonly count: number;
}

type LossPlace = Omit<TopicLoss, 'topic'>;

async function lossOf({ connection, key }: Store, topic: string): Promise<LossPlace | undefined> {
  const [seq, count] = await Promise.all([
    connection.send(['HGET', key('lost'), topic]),
    connection.send(['ZSCORE', key('losses'), topic]),
  ]);
  return seq === null || count === null ? undefined : { seq: Number(seq), count: Number(count) };
}

/** From the last loss backwards. With very many topics to look at, one is taken to match. */
function lossMatching(
  state: State,
  lost: readonly TopicLoss[] | undefined,
  after: number,
  compiled: CompiledPattern,
): LossPlace {
  if (lost === undefined) return { seq: state.newestLoss, count: state.lossCount };
  const matching = lost.filter(({ topic }) => compiled.matches(topic));
  const found = matching.find(({ seq }) => seq > after);
  if (found === undefined) return state.forgotten;
  return { seq: found.seq, count: matching[0]?.count ?? found.count };
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
