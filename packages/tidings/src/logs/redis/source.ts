import { type LogSource, type SourcePage, type SourceQuery, topicsLostAfter } from '../../log/index.ts';
import { type PageAndState, readEntries, readWithState } from './entries.ts';
import { type State, type Store, readState } from './store.ts';
import { topicsLost } from './read-losses.ts';
import { deletedError } from './write.ts';

export interface RedisSource extends LogSource {
  read(query: SourceQuery): Promise<SourcePage>;
}

/** The follower's source. `fence` is called if the log has less than it had: its server may have lost the end. */
export function createSource(store: Store, fence: () => Promise<void>): RedisSource {
  return {
    async read({ after, lossCount, limit }) {
      let page = await pageOf(store, after, limit.events);
      if (page.state.head < after) {
        await fence();
        page = await pageOf(store, after, limit.events);
      }
      const { entries, until, state } = page;
      const lost =
        state.newestLoss > after
          ? await topicsLostAfter(after, Object.values(state.losses), () => topicsLost(store, lossCount))
          : [];
      return { entries, next: Math.max(after, until ?? state.head), state, lost };
    },
    find: (seqs) => readEntries(store, seqs),
  };
}

async function pageOf(store: Store, after: number, count: number): Promise<PageAndState> {
  const page = await readWithState(store, after, count);
  if (page !== undefined) return page;
  throw deletedError();
}

/** @throws {TidingsError} `log/unavailable` if somebody has deleted the log. */
export async function stateOf(store: Store): Promise<State> {
  const state = await readState(store);
  if (state !== undefined) return state;
  throw deletedError();
}
