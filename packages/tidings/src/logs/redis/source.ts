import { type LogSource, type SourcePage, type SourceQuery, topicsLostAfter } from '../../log/index.ts';
import { type State, type Store, readEntries, readRange, readState } from './store.ts';
import { topicsLost } from './read-losses.ts';
import { deletedError } from './write.ts';

export interface RedisSource extends LogSource {
  read(query: SourceQuery): Promise<SourcePage>;
}

/** The follower's source. `fence` is called if the log has less than it had: its server may have lost the end. */
export function createSource(store: Store, fence: () => Promise<void>): RedisSource {
  return {
    async read({ after, lossCount, limit }) {
      const first = await stateOf(store);
      if (first.head < after) await fence();
      const { head, epoch } = first.head < after ? await stateOf(store) : first;
      const entries = await readRange(store, { low: after, high: head, isBack: false }, limit.events);
      const next = entries.length < limit.events ? head : (entries.at(-1)?.seq ?? head);
      // After the events, or a loss in between would go unnoticed.
      const state = await stateOf(store);
      // A page of an epoch that has ended since may have events that are lost now.
      if (state.epoch !== epoch) return { entries: [], next: after, state, lost: [] };
      const lost =
        state.newestLoss > after
          ? await topicsLostAfter(after, Object.values(state.losses), () => topicsLost(store, lossCount))
          : [];
      return { entries, next: Math.max(after, next), state, lost };
    },
    find: (seqs) => readEntries(store, seqs),
  };
}

/** @throws {TidingsError} `log/unavailable` if somebody has deleted the log. */
export async function stateOf(store: Store): Promise<State> {
  const state = await readState(store);
  if (state !== undefined) return state;
  throw deletedError();
}
