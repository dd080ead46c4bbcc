import type { LogEntry, LogSource, SourcePage } from '../../log/index.ts';
import { scanLog } from './read.ts';
import { topicsLost } from './read-losses.ts';
import { readState } from './log-state.ts';
import { type Store, findEntry, lineageOf } from './store.ts';

/** The follower's source for processes that share a log. */
export function lmdbSource(store: Store): LogSource {
  return {
    read({ after, lossCount, limit }): SourcePage {
      // The transaction would keep showing the state at its beginning.
      store.root.resetReadTxn();
      const state = readState(store);
      const { head, newestLoss } = state;
      const page = scanLog(store, { wants: () => true, limit }, { low: after, high: head, isBack: false });
      const { damage } = store;
      const lineage = lineageOf(store);
      const epoch = store.meta.get('epoch') as string;
      const lost = newestLoss > after ? topicsLost(store, state, after, lossCount) : [];
      return {
        ...page,
        state: {
          epoch,
          lineage,
          head,
          newestLoss: Math.max(newestLoss, damage.newest),
          lossCount: state.lossCount,
        },
        lost: damage.newest > after ? undefined : lost,
      };
    },
    find(seqs) {
      return seqs
        .map((seq) => findEntry(store, seq))
        .filter((entry): entry is LogEntry => entry !== undefined);
    },
  };
}
