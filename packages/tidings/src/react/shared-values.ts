import type { ReceivedEvent } from '../client/event-client.ts';
import { type Matcher, matcherKey } from '../protocol/matcher.ts';
import type { Connection } from './connection.ts';
import type { Listen } from './ears.ts';
import { concerns } from './gaps.ts';
import type { Notifier, Source } from './notifier.ts';
import type { Value } from './values.ts';

/** Wraps how events are heard: typed hooks check them on the way. */
export interface Hearing {
  /** Names it; hooks that hear alike share values. */
  readonly id: string;
  wrap(listen: Listen): Listen;
}

export interface Recipe<T> {
  /** The same for hooks that want the same. */
  readonly key: string;
  readonly topics: readonly Matcher[];
  readonly types: readonly string[];
  readonly hearing: Hearing;
  make(): Value<T>;
}

/** Values that components share. A value is kept as long as the connection has its topics, also while no component shows it. */
export interface SharedValues {
  /** Creates nothing before somebody subscribes: rendering has no effect. */
  source<T>(recipe: Recipe<T>): Source<T | undefined>;
  /** How many there are. */
  readonly size: number;
}

interface Entry<T> {
  readonly value: Value<T>;
  readonly listeners: Set<() => void>;
  acquire(): void;
  release(): void;
}

export function createSharedValues(connection: Connection, notifier: Notifier): SharedValues {
  const entries = new Map<string, Entry<unknown>>();

  function createEntry<T>(recipe: Recipe<T>): Entry<T> {
    const { topics, types, hearing } = recipe;
    const value = recipe.make();
    const listeners = new Set<() => void>();
    const removals: (() => void)[] = [];
    let letGo: (() => void) | undefined;
    let forget: (() => void) | undefined;

    const note = (changed: boolean): void => {
      if (changed) notifier.changed({ listeners });
    };
    const listen = hearing.wrap(connection.listen);
    for (const type of types) removals.push(listen(type, (event) => note(value.take(event))));

    function recall(late: readonly (Matcher | undefined)[]): void {
      forget?.();
      forget = connection.recall({
        topics: late,
        types,
        hear: (client, type, listener) =>
          void hearing.wrap((name, heard) => client.on(name, heard))(type, listener),
        take: (event: ReceivedEvent) => note(value.recall(event)),
      });
    }

    removals.push(
      connection.onGap((gaps) => {
        if (!concerns(gaps, topics)) return;
        note(value.miss());
        recall(topics.length === 0 ? [undefined] : topics);
      }),
      connection.onDrop((dropped) => {
        const isGone = topics.length === 0 ? dropped.includes(undefined) : topics.some(isIn(dropped));
        // Events of its topics are missing from now on.
        if (isGone) dispose();
      }),
    );

    function dispose(): void {
      forget?.();
      for (const remove of removals) remove();
      if (entries.get(recipe.key) === (entry as Entry<unknown>)) entries.delete(recipe.key);
    }

    const entry: Entry<T> = {
      value,
      listeners,
      acquire() {
        if (letGo !== undefined) return;
        let begun = false;
        letGo = connection.hold(topics, {
          begins(_, late) {
            // The connection had to begin anew, without a cursor.
            if (begun) note(value.miss());
            else if (isNew && late.length > 0) recall(late);
            begun = true;
            isNew = false;
          },
          refused() {
            // The connection's error says so.
          },
        });
      },
      release() {
        letGo?.();
        letGo = undefined;
      },
    };
    /** It has heard nothing so far. */
    let isNew = true;
    return entry;
  }

  function entryOf<T>(recipe: Recipe<T>): Entry<T> {
    const found = entries.get(recipe.key) ?? createEntry(recipe);
    entries.set(recipe.key, found);
    return found as Entry<T>;
  }

  return {
    source(recipe) {
      return {
        get: () => entries.get(recipe.key)?.value.current as ReturnType<typeof recipe.make>['current'],
        subscribe(listener) {
          const entry = entryOf(recipe);
          const own = (): void => listener();
          entry.listeners.add(own);
          entry.acquire();
          return () => {
            if (entry.listeners.delete(own) && entry.listeners.size === 0) entry.release();
          };
        },
      };
    },
    get size() {
      return entries.size;
    },
  };
}

function isIn(topics: readonly (Matcher | undefined)[]): (topic: Matcher) => boolean {
  const keys = new Set(topics.map((topic) => (topic === undefined ? undefined : matcherKey(topic))));
  return (topic) => keys.has(matcherKey(topic));
}
