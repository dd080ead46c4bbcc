import type { ReceivedEvent } from '../client/event-client.ts';

/** Values that components make of events, shared by all that ask for the same. */
export interface Value<T> {
  readonly current: T | undefined;
  /** @returns whether it has changed. */
  take(event: ReceivedEvent): boolean;
  /** An event that a hub sent again: what came since is newer. @returns whether it has changed. */
  recall(event: ReceivedEvent): boolean;
  /** Events are missing. @returns whether it has changed. */
  miss(): boolean;
}

/** The data of the newest event. */
export function latestValue<Data>(): Value<{ readonly data: Data }> {
  let current: { readonly data: Data } | undefined;
  let isLive = false;
  const set = (event: ReceivedEvent): true => {
    current = { data: event.json<Data>() };
    return true;
  };
  return {
    get current() {
      return current;
    },
    take(event) {
      isLive = true;
      return set(event);
    },
    recall: (event) => !isLive && set(event),
    miss() {
      isLive = false;
      return false;
    },
  };
}

/** Names the property of the data that says which state an event is about, or several that say it together. */
export type KeyNames = string | readonly string[];

/** The data of the newest event of each key. */
export function stateValues<Data>(
  keyNames: KeyNames | undefined,
  removedBy: readonly string[],
): Value<ReadonlyMap<string, Data>> {
  let values = new Map<string, Data>();
  /** The `values` of the last look; the next look gets another map once they have changed. */
  let seen: ReadonlyMap<string, Data> | undefined;
  /** Keys that came since the last gap, deleted ones as well. */
  const live = new Set<string>();

  function apply(key: string, data: Data, type: string): boolean {
    // A hub deletes a key by an event without a value, or of a type of its own.
    const isGone = data === null || removedBy.includes(type);
    if (isGone && !values.has(key)) return false;
    if (seen === values) values = new Map(values);
    if (isGone) values.delete(key);
    else values.set(key, data);
    return true;
  }

  function read(event: ReceivedEvent): { key: string; data: Data } {
    const data = event.json<Data>();
    return { key: keyOf(event.type, data, keyNames), data };
  }

  return {
    get current() {
      if (seen !== values) seen = values;
      return seen;
    },
    take(event) {
      const { key, data } = read(event);
      live.add(key);
      return apply(key, data, event.type);
    },
    recall(event) {
      const { key, data } = read(event);
      return !live.has(key) && apply(key, data, event.type);
    },
    miss() {
      live.clear();
      if (values.size === 0) return false;
      values = new Map();
      return true;
    },
  };
}

/** The key of an event, by its data. */
export function keyOf(type: string, data: unknown, names: KeyNames | undefined): string {
  if (names === undefined) return type;
  const read = (name: string): unknown => (data as Record<string, unknown> | null)?.[name];
  return typeof names === 'string' ? String(read(names)) : JSON.stringify(names.map(read));
}

export interface Presence<Data = unknown> {
  /** People, not connections. */
  readonly count: number;
  /** In the order they came, as many as the server lists. */
  readonly members: readonly PresentMember<Data>[];
}

export interface PresentMember<Data = unknown> {
  readonly id: string;
  readonly data?: Data;
}

/** The members of one topic. */
export function presenceValue(topic: string): Value<Presence> {
  const latest = latestValue<Presence>();
  const isOurs = (event: ReceivedEvent): boolean => event.json<{ topic?: unknown }>().topic === topic;
  let presence: Presence | undefined;
  const keep = (changed: boolean): boolean => {
    const data = latest.current?.data;
    if (changed && data !== undefined) presence = { count: data.count, members: data.members ?? [] };
    return changed;
  };
  return {
    get current() {
      return presence;
    },
    take: (event) => isOurs(event) && keep(latest.take(event)),
    recall: (event) => isOurs(event) && keep(latest.recall(event)),
    miss: latest.miss,
  };
}
