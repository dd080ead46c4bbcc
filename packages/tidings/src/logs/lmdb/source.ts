import type { LogEntry, LogSource, SourcePage } from '../../log/index.ts';
import { scanLog, topicsLost } from './read.ts';
import { type Store, findEntry, readState } from './store.ts';

/** What the processes that share a log follow it by. */
export function lmdbSource(store: Store): LogSource {
  return {
    read({ after, lossCount, limit }): SourcePage {
      // The transaction would go on showing what there was when it began.
      store.root.resetReadTxn();
      const state = readState(store);
      const lost = state.newestLoss > after ? topicsLost(store, state, after, lossCount) : [];
      return { ...scanLog(store, { after, wants: () => true, limit }, state.head), state, lost };
    },
    find(seqs) {
      return seqs
        .map((seq) => findEntry(store, seq))
        .filter((entry): entry is LogEntry => entry !== undefined);
    },
  };
}
