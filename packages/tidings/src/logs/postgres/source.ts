import {
  type LogSource,
  type SourcePage,
  type SourceQuery,
  type TopicLoss,
  topicsLostAfter,
} from '../../log/index.ts';
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
      const lost =
        state.newestLoss > after
          ? await topicsLostAfter(after, state.losses, () => namesLost(store, lossCount))
          : [];
      return { entries, next: Math.max(after, page.next), state, lost };
    },
    find: (seqs) => readEntries(store, seqs),
  };
}

/** Undefined also if only the beginning of a topic is known. */
async function namesLost(store: Store, since: number): Promise<readonly TopicLoss[] | undefined> {
  const lost = await topicsLost(store, since);
  return lost?.some(({ topic }) => isShortened(topic)) === true ? undefined : lost;
}
