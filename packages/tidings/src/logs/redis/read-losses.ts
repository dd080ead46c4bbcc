import {
  type KnownLosses,
  type Loss,
  type LossPlace,
  type MatcherSet,
  type TopicLoss,
  isLossOf,
  lossesAfter,
  newestMatching,
} from '../../log/index.ts';
import type { Reply } from './replies.ts';
import type { LossKind, State, Store } from './store.ts';

/** The most topics that lost something to look at for an answer; each is compared with all patterns. */
const MAX_SCANNED = 2000;

export async function readLosses(
  store: Store,
  { losses }: State,
  after: number,
  matchers: MatcherSet,
  publicOnly = false,
): Promise<readonly Loss[]> {
  const kinds = (publicOnly ? (['public'] as const) : (['public', 'private'] as const)).filter(
    (kind) => losses[kind].all.seq > after,
  );
  if (kinds.length === 0) return [];
  const known = await Promise.all(
    kinds.map(async (kind): Promise<KnownLosses> => {
      const byTopic = new Map(
        await Promise.all(
          [...matchers.topics].map(async (topic) => [topic, await lossOf(store, kind, topic)] as const),
        ),
      );
      const newest = matchers.patterns.length > 0 ? await newestOf(store, kind, 0) : [];
      const tally = losses[kind];
      return {
        ...tally,
        ofTopic: (topic) => byTopic.get(topic),
        matching: (compiled) =>
          newestMatching(after, tally, newest, (topic) => isLossOf(compiled, topic, publicOnly)),
      };
    }),
  );
  return lossesAfter(after, matchers, known);
}

async function lossOf(
  { connection, key }: Store,
  kind: LossKind,
  topic: string,
): Promise<LossPlace | undefined> {
  const { lost, losses } = keysOf(kind);
  const [seq, count] = await Promise.all([
    connection.send(['HGET', key(lost), topic]),
    connection.send(['ZSCORE', key(losses), topic]),
  ]);
  return seq === null || count === null ? undefined : { seq: Number(seq), count: Number(count) };
}

function keysOf(kind: LossKind): { readonly lost: string; readonly losses: string } {
  return kind === 'public' ? { lost: 'lost', losses: 'losses' } : { lost: 'plost', losses: 'plosses' };
}

/** Topics that lost something since so many losses had been counted; undefined if there are too many. */
export async function topicsLost(store: Store, since: number): Promise<readonly TopicLoss[] | undefined> {
  const [open, hidden] = await Promise.all([
    newestOf(store, 'public', since),
    newestOf(store, 'private', since),
  ]);
  return open === undefined || hidden === undefined ? undefined : [...open, ...hidden];
}

/** The same of one kind, the last first. */
async function newestOf(
  { connection, key }: Store,
  kind: LossKind,
  since: number,
): Promise<readonly TopicLoss[] | undefined> {
  const { lost, losses } = keysOf(kind);
  const range = [
    'ZREVRANGEBYSCORE',
    key(losses),
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
  const seqs = (await connection.send(['HMGET', key(lost), ...topics])) as readonly (string | null)[];
  return topics.map((topic, i) => ({ topic, seq: Number(seqs[i] ?? 0), count: Number(pairs[2 * i + 1]) }));
}
