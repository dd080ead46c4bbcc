import {
  type CompiledPattern,
  type KnownLosses,
  type Loss,
  type LossPlace,
  type LossTally,
  type MatcherSet,
  isLossOf,
  lossesAfter,
} from '../../log/index.ts';
import { LOSS_KINDS, type LogState, type LossKind, type LossRecord, readState } from './log-state.ts';
import { type LossTables, type Store, isShortened, topicKey } from './store.ts';

/** The most losses to look at for an answer; patterns, each of which is compared with their topics, make it fewer. */
const MAX_SCANNED = 5000;

export function readLosses(
  store: Store,
  after: number,
  matchers: MatcherSet,
  publicOnly = false,
): readonly Loss[] {
  const state = readState(store);
  const { damage } = store;
  // The topics of a damaged record are unknown.
  const count = state.lossCount + damage.seqs.size;
  if (damage.newest > after)
    return matchers.matchers.map((matcher) => ({ matcher, seq: damage.newest, count }));
  const kinds = (publicOnly ? LOSS_KINDS.slice(0, 1) : LOSS_KINDS).filter(
    (kind) => state[kind].all[0] > after,
  );
  if (kinds.length === 0) return [];
  const known = kinds.map((kind) => knownLosses(store, state, kind, matchers, publicOnly));
  return lossesAfter(after, matchers, known);
}

function knownLosses(
  store: Store,
  state: LogState,
  kind: LossKind,
  matchers: MatcherSet,
  publicOnly: boolean,
): KnownLosses {
  const tally = toTally(state, kind);
  const tables = store.losses[kind];
  let found: ReadonlyMap<string, LossPlace> | undefined;
  return {
    ...tally,
    ofTopic(topic) {
      const record = tables.byTopic.get(topicKey(topic));
      return record === undefined ? undefined : toPlace(record);
    },
    matching(compiled, after) {
      found ??= newestMatching(tables, tally, after, matchers, publicOnly);
      return found.get(compiled.pattern) ?? tally.forgotten;
    },
  };
}

function toTally(state: LogState, kind: LossKind): LossTally {
  const { all, forgotten } = state[kind];
  return { all: toPlace(all), forgotten: toPlace(forgotten) };
}

function toPlace([seq, count]: LossRecord): LossPlace {
  return { seq, count };
}

/**
 * From the last loss backwards, once for all patterns. With very many topics to look at, one is taken to match each
 * pattern that hasn't found any.
 */
function newestMatching(
  { byCount }: LossTables,
  { all, forgotten }: LossTally,
  after: number,
  { patterns }: MatcherSet,
  publicOnly: boolean,
): ReadonlyMap<string, LossPlace> {
  const found = new Map<string, LossPlace>();
  let open = patterns.map((compiled) => ({ compiled, count: 0 }));
  let left = Math.ceil(MAX_SCANNED / (1 + patterns.length / 4));
  const end = (place: LossPlace): ReadonlyMap<string, LossPlace> => {
    for (const { compiled } of open) found.set(compiled.pattern, place);
    return found;
  };
  for (const { key, value: seq } of byCount.getRange({ reverse: true })) {
    if (open.length === 0) return found;
    const [count, topic] = key;
    left -= 1;
    if (left < 0) return end(all);
    open = open.filter((each) => {
      if (!mayBeOf(each.compiled, topic, publicOnly)) return true;
      each.count = Math.max(each.count, count);
      if (seq <= after) return true;
      found.set(each.compiled.pattern, { seq, count: each.count });
      return false;
    });
  }
  return end(forgotten);
}

/** Of a shortened topic only the beginning is known. */
function mayBeOf(compiled: CompiledPattern, topic: string, publicOnly: boolean): boolean {
  return isShortened(topic) || isLossOf(compiled, topic, publicOnly);
}

/**
 * Topics that lost something after this seq, among the losses since `count` of them; undefined if there are too many
 * to tell.
 */
export function topicsLost(
  store: Store,
  state: LogState,
  after: number,
  count: number,
): readonly string[] | undefined {
  const topics = new Set<string>();
  let scanned = 0;
  for (const kind of LOSS_KINDS) {
    if (state[kind].forgotten[0] > after) return undefined;
    for (const { key, value: seq } of store.losses[kind].byCount.getRange({ reverse: true })) {
      const [at, topic] = key;
      if (at <= count) break;
      scanned += 1;
      if (scanned > MAX_SCANNED || isShortened(topic)) return undefined;
      if (seq > after) topics.add(topic);
    }
  }
  return [...topics];
}
