import { type LogEntry, isTag } from '../../log/index.ts';
import { LOSS_KINDS, type LogState, type LossKind, type LossRecord, type LossState } from './log-state.ts';
import { type LossTables, type Store, topicKey } from './store.ts';

/** Topics whose newest loss is known; beyond, those lost longest ago are only known together. */
const MAX_LOSSES = 100_000;

/** Retention's losses within one transaction: each topic is written once, however many events it lost. */
export class Losses {
  readonly #byTopic: Readonly<Record<LossKind, Map<string, LossRecord>>> = {
    public: new Map(),
    private: new Map(),
  };

  record(state: LogState, entry: LogEntry): void {
    const kind = entry.private ? 'private' : 'public';
    const count = countLoss(state, kind, entry.seq);
    const byTopic = this.#byTopic[kind];
    for (const topic of entry.topics) {
      // Nobody asks for tags, which are often unique: they would crowd out topics.
      if (isTag(topic)) continue;
      const key = topicKey(topic);
      byTopic.set(key, [Math.max(byTopic.get(key)?.[0] ?? 0, entry.seq), count]);
    }
  }

  /** Runs inside of the write transaction, at its end. */
  write(store: Store, state: LogState): void {
    for (const kind of LOSS_KINDS) {
      const byTopic = this.#byTopic[kind];
      if (byTopic.size > 0)
        state[kind] = forgetOldest(store.losses[kind], write(store.losses[kind], state[kind], byTopic));
    }
  }
}

/** @returns how many losses there have been. */
export function countLoss(state: LogState, kind: LossKind, seq: number): number {
  state.newestLoss = Math.max(state.newestLoss, seq);
  state.lossCount += 1;
  const { all } = state[kind];
  state[kind] = { ...state[kind], all: [Math.max(all[0], seq), state.lossCount] };
  return state.lossCount;
}

function write(
  { byTopic, byCount }: LossTables,
  losses: LossState,
  records: ReadonlyMap<string, LossRecord>,
): LossState {
  let added = 0;
  for (const [key, [newest, count]] of records) {
    const before = byTopic.get(key);
    if (before === undefined) added += 1;
    else byCount.removeSync([before[1], key]);
    const seq = Math.max(before?.[0] ?? 0, newest);
    byTopic.putSync(key, [seq, count]);
    byCount.putSync([count, key], seq);
  }
  return { ...losses, records: losses.records + added };
}

function forgetOldest({ byTopic, byCount }: LossTables, losses: LossState): LossState {
  const excess = losses.records - MAX_LOSSES;
  if (excess <= 0) return losses;
  let [newest, last] = losses.forgotten;
  for (const { key, value: seq } of Array.from(byCount.getRange({ limit: excess }))) {
    const [count, topic] = key;
    byTopic.removeSync(topic);
    byCount.removeSync(key);
    newest = Math.max(newest, seq);
    last = Math.max(last, count);
  }
  return { ...losses, records: losses.records - excess, forgotten: [newest, last] };
}
