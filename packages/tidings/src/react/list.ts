import type { ReceivedEvent } from '../client/event-client.ts';
import type { Matcher } from '../protocol/matcher.ts';
import type { ListOptions } from './options.ts';
import type { Reduce } from './reduced.ts';
import { keyOf } from './values.ts';

const DEFAULT_LIMIT = 100;

/** The reducer of `useList`. */
export function listReducer<Data>(
  options: ListOptions<Matcher, Data, ReceivedEvent>,
  removedBy: readonly string[],
): Reduce<readonly Data[]> {
  const { limit = DEFAULT_LIMIT, order, key, reduce } = options;
  const isNewestFirst = order === 'newest-first';
  const cut = (items: readonly Data[]): readonly Data[] => {
    if (items.length <= limit) return items;
    return isNewestFirst ? items.slice(0, limit) : items.slice(-limit);
  };
  if (reduce !== undefined) return (items, event) => cut(reduce(items, event));

  return (items, event) => {
    const data = event.json<Data>();
    const own = key === undefined ? undefined : keyOf('', data, key);
    const index = own === undefined ? -1 : items.findIndex((item) => keyOf('', item, key) === own);
    if (removedBy.includes(event.type)) return index < 0 ? items : items.toSpliced(index, 1);
    if (index >= 0) return items.with(index, data);
    return cut(isNewestFirst ? [data, ...items] : [...items, data]);
  };
}
