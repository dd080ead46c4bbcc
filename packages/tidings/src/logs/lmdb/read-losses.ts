import { type Loss, type Matcher, type MatcherSet, matcherOf } from '../../log/index.ts';
import { type LogState, type LossRecord, type Store, isShortened, readState, topicKey } from './store.ts';

/** The most losses to look at for an answer; patterns, each of which is compared with their topics, make it fewer. */
const MAX_SCANNED = 5000;

export function readLosses(store: Store, after: number, matchers: MatcherSet): readonly Loss[] {
  const state = readState(store);
  const { damage } = store;
  // The topics of a damaged record are unknown.
  const count = state.lossCount + damage.seqs.size;
  if (damage.newest > after)
    return matchers.matchers.map((matcher) => ({ matcher, seq: damage.newest, count }));
  if (state.newestLoss <= after) return [];
  const losses = [...matchers.topics].map((topic) =>
    toLoss(topic, store.losses.get(topicKey(topic)) ?? state.forgotten),
  );
  losses.push(...lossesMatching(store, state, after, matchers));
  return losses.filter(({ seq }) => seq > after);
}

function toLoss(matcher: Matcher, [seq, count]: LossRecord): Loss {
  return { matcher, seq, count };
}

/**
 * From the last loss backwards, once for all patterns. With very many topics to look at, one is taken to match each
 * pattern that hasn't found any.
 */
function lossesMatching(
  store: Store,
  state: LogState,
  after: number,
  { patterns }: MatcherSet,
): readonly Loss[] {
  const found: Loss[] = [];
  let open = patterns.map((compiled) => ({ compiled, count: 0 }));
  let left = Math.ceil(MAX_SCANNED / (1 + patterns.length / 4));
  const end = (record: LossRecord): readonly Loss[] => [
    ...found,
    ...open.map(({ compiled }) => toLoss(matcherOf(compiled), record)),
  ];
  if (open.length === 0) return found;
  for (const { key, value: seq } of store.lossOrder.getRange({ reverse: true })) {
    const [count, topic] = key;
    left -= 1;
    if (left < 0) return end([state.newestLoss, state.lossCount]);
    open = open.filter((each) => {
      const { compiled } = each;
      if (!isShortened(topic) && !compiled.matches(topic)) return true;
      each.count = Math.max(each.count, count);
      if (seq <= after) return true;
      found.push(toLoss(matcherOf(compiled), [seq, each.count]));
      return false;
    });
    if (open.length === 0) return found;
  }
  return end(state.forgotten);
}

/**
 * Topics that lost something after this seq, among the losses since `count` of them; undefined if there are too many
 * to tell.
 */
export function topicsLost(
  store: Store,
  forgotten: LossRecord,
  after: number,
  count: number,
): readonly string[] | undefined {
  if (forgotten[0] > after) return undefined;
  const topics: string[] = [];
  let scanned = 0;
  for (const { key, value: seq } of store.lossOrder.getRange({ reverse: true })) {
    const [at, topic] = key;
    if (at <= count) break;
    scanned += 1;
    if (scanned > MAX_SCANNED || isShortened(topic)) return undefined;
    if (seq > after) topics.push(topic);
  }
  return topics;
}
