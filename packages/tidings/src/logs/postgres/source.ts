import type { LogSource, SourcePage, SourceQuery } from '../../log/index.ts';
import { topicsLost } from './read.ts';
import { isShortened } from './records.ts';
import { type State, type Store, readEntries, readWithState } from './store.ts';

export interface PostgresSource extends LogSource {
  read(query: SourceQuery): Promise<SourcePage>;
}

/**
 * The follower's source. `check` takes each state before anything is made of it. `fence` is called if the log has less
 * than it had: its server may have lost the end.
 */
export function createSource(
  store: Store,
  check: (state: State) => void,
  fence: () => Promise<void>,
): PostgresSource {
  const readOnce = ({ after, limit }: SourceQuery): ReturnType<typeof readWithState> =>
    readWithState(store, after, { rows: limit.events, length: limit.length });

  return {
    async read(query) {
      const { after, lossCount } = query;
      let page = await readOnce(query);
      check(page.state);
      if (page.state.head < after) {
        await fence();
        page = await readOnce(query);
      }
      const { entries, state } = page;
      const lost = state.newestLoss > after ? await lostAfter(store, state, after, lossCount) : [];
      return { entries, next: Math.max(after, page.next), state, lost };
    },
    find: (seqs) => readEntries(store, seqs),
  };
}

async function lostAfter(
  store: Store,
  { forgotten }: State,
  after: number,
  since: number,
): Promise<readonly string[] | undefined> {
  if (forgotten.seq > after) return undefined;
  const lost = await topicsLost(store, since);
  // Of a shortened topic only the beginning is known.
  if (lost === undefined || lost.some(({ topic }) => isShortened(topic))) return undefined;
  return lost.filter(({ seq }) => seq > after).map(({ topic }) => topic);
}
