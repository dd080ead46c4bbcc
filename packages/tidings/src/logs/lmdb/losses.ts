import type { LogEntry } from '../../log/index.ts';
import { type LogState, type LossRecord, type Store, topicKey } from './store.ts';

/** Topics whose newest loss is known; beyond, those lost longest ago are only known together. */
const MAX_LOSSES = 100_000;

/** Retention's losses within one transaction: each topic is written once, however many events it lost. */
export class Losses {
  readonly #byTopic = new Map<string, LossRecord>();

  record(state: LogState, entry: LogEntry): void {
    state.newestLoss = Math.max(state.newestLoss, entry.seq);
    state.lossCount += 1;
    for (const topic of entry.topics) {
      const key = topicKey(topic);
      const seq = Math.max(this.#byTopic.get(key)?.[0] ?? 0, entry.seq);
      this.#byTopic.set(key, [seq, state.lossCount]);
    }
  }

  /** Runs inside of the write transaction, at its end. */
  write(store: Store, state: LogState): void {
    for (const [key, [newest, count]] of this.#byTopic) {
      const before = store.losses.get(key);
      if (before === undefined) state.lossRecords += 1;
      else store.lossOrder.removeSync([before[1], key]);
      const seq = Math.max(before?.[0] ?? 0, newest);
      store.losses.putSync(key, [seq, count]);
      store.lossOrder.putSync([count, key], seq);
    }
    forgetOldest(store, state);
  }
}

function forgetOldest(store: Store, state: LogState): void {
  const excess = state.lossRecords - MAX_LOSSES;
  if (excess <= 0) return;
  for (const { key, value: seq } of Array.from(store.lossOrder.getRange({ limit: excess }))) {
    const [count, topic] = key;
    store.losses.removeSync(topic);
    store.lossOrder.removeSync(key);
    state.forgotten = [Math.max(state.forgotten[0], seq), Math.max(state.forgotten[1], count)];
    state.lossRecords -= 1;
  }
}
