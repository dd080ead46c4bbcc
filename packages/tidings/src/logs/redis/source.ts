import type { LogSource, SourcePage, SourceQuery } from '../../log/index.ts';
import { type State, type Store, readEntries, readRange, readState } from './store.ts';
import { topicsLost } from './read.ts';

export interface RedisSource extends LogSource {
  read(query: SourceQuery): Promise<SourcePage>;
}

/** The follower's source. `stateOf` refuses a state that isn't this log's any more. */
export function createSource(store: Store, stateOf: (state: State | undefined) => State): RedisSource {
  return {
    async read({ after, lossCount, limit }) {
      const { head } = stateOf(await readState(store));
      const entries = await readRange(store, after, head, limit.events);
      const next = entries.length < limit.events ? head : (entries.at(-1)?.seq ?? head);
      // After the events, or a loss in between would go unnoticed.
      const state = stateOf(await readState(store));
      const lost = state.newestLoss > after ? await lostAfter(store, state, after, lossCount) : [];
      return { entries, next: Math.max(after, next), state, lost };
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
  return lost?.filter(({ seq }) => seq > after).map(({ topic }) => topic);
}
