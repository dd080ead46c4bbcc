import { useEffect, useInsertionEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import type { ReceivedEvent } from '../client/event-client.ts';
import { type Matcher, PRESENCE_PREFIX } from '../protocol/matcher.ts';
import { type ConnectionState, IDLE } from './connection.ts';
import {
  checkHookOptions,
  EVENT_OPTIONS,
  LATEST_OPTIONS,
  LIST_OPTIONS,
  PRESENCE_OPTIONS,
  REDUCER_OPTIONS,
  STATE_OPTIONS,
} from './check-options.ts';
import { listReducer } from './list.ts';
import type {
  EventHookOptions,
  LatestOptions,
  ListOptions,
  ListResult,
  OneOrMore,
  PresenceOptions,
  ReducerOptions,
  ReducerResult,
  StatesOptions,
} from './options.ts';
import { useStore } from './provider.ts';
import type { Load, Loaded, Reduce, Reduction } from './reduced.ts';
import type { Hearing, Recipe } from './shared-values.ts';
import { latestValue, type Presence, presenceValue, stateValues } from './values.ts';

export interface ConnectionResult extends ConnectionState {
  /** Connects anew at once, also after the connection has failed for good. */
  readonly reconnect: () => void;
}

/** How the provider's connection is. It opens none by itself. */
export function useConnection(): ConnectionResult {
  const { connection } = useStore();
  const { state, reconnect } = connection;
  const { status, error } = useSyncExternalStore(state.subscribe, state.get, () => IDLE);
  return useMemo(() => ({ status, error, reconnect }), [status, error, reconnect]);
}

export interface Hooks {
  /** The data of the newest event of a type; undefined before the first, unless there is an `initial`. */
  useLatest<Data = unknown>(
    type: string,
    options: LatestOptions<Matcher, Data> & { readonly initial: Data },
  ): Data;
  useLatest<Data = unknown>(type: string, options?: LatestOptions<Matcher, Data>): Data | undefined;
  /** The newest data of each key: a state topic as a map. Without `key`, the event's type is the key. */
  useStates<Data = unknown>(
    types: OneOrMore<string>,
    options?: StatesOptions<Matcher, Data>,
  ): ReadonlyMap<string, Data>;
  /** The newest items, at most `limit`: appended, or as `reduce` says. */
  useList<Data = unknown>(
    types: OneOrMore<string>,
    options?: ListOptions<Matcher, Data, ReceivedEvent>,
  ): ListResult<Data>;
  /** A state of the component's own: what `load` brings, and what `reduce` makes of every event after that. */
  useEventReducer<State>(
    types: OneOrMore<string>,
    reduce: Reduce<State>,
    options: ReducerOptions<Matcher, State>,
  ): ReducerResult<State>;
  /** Calls `listener` with each event, for effects such as a toast. */
  useEvent(
    types: OneOrMore<string>,
    listener: (event: ReceivedEvent) => void,
    options?: EventHookOptions<Matcher>,
  ): void;
  /** The members who are there. The component's user is there too, unless `join` is false. */
  usePresence<Data = unknown>(topic: string, options?: PresenceOptions): Presence<Data> | undefined;
}

/** The hooks, hearing events as `hearing` has it. */
export function createHooks(hearing: Hearing): Hooks {
  function useShared<T>(
    recipe: Omit<Recipe<T>, 'key' | 'hearing'>,
    ...parts: readonly unknown[]
  ): T | undefined {
    const { values } = useStore();
    const key = JSON.stringify([hearing.id, parts, recipe.types, recipe.topics]);
    // The key says all there is to know of the recipe.
    const source = useMemo(() => values.source<T>({ ...recipe, key, hearing }), [values, key]);
    return useSyncExternalStore(source.subscribe, source.get, nothing);
  }

  function useReduced<State>(
    types: readonly string[],
    topics: readonly Matcher[],
    { initial, cursor }: { readonly initial: State; readonly cursor: string | undefined },
    reduce: Reduce<State>,
    load: Load<State> | undefined,
  ): ReducerResult<State> {
    const store = useStore();
    const key = JSON.stringify([types, topics, cursor]);
    const reduced = useMemo(
      () => store.reduced<State>({ types, topics, hearing, initial, cursor }),
      [store, key],
    );
    useInsertionEffect(() => reduced.use(reduce, load));
    const first = useRef<Reduction<State>>({ state: initial, loading: false, error: undefined });
    const reduction = useSyncExternalStore(reduced.subscribe, reduced.get, () => first.current);
    return useMemo(() => ({ ...reduction, reload: reduced.reload }), [reduction, reduced]);
  }

  return {
    useLatest<Data>(type: string, options: LatestOptions<Matcher, Data> = {}) {
      checkHookOptions(options, LATEST_OPTIONS);
      const found = useShared(
        { types: [type], topics: listOf(options.topics), make: latestValue<Data> },
        'latest',
      );
      return found === undefined ? (options.initial as Data) : found.data;
    },
    useStates<Data>(types: OneOrMore<string>, options: StatesOptions<Matcher, Data> = {}) {
      checkHookOptions(options, STATE_OPTIONS);
      const { topics, key, initial } = options;
      const removedBy = listOf(options.removedBy);
      const found = useShared(
        {
          types: unique([...listOf(types), ...removedBy]),
          topics: listOf(topics),
          make: () => stateValues<Data>(key, removedBy),
        },
        'states',
        key,
        removedBy,
      );
      return found ?? initial ?? NONE;
    },
    useList<Data>(types: OneOrMore<string>, options: ListOptions<Matcher, Data, ReceivedEvent> = {}) {
      checkHookOptions(options as ListOptions<Matcher, unknown, ReceivedEvent>, LIST_OPTIONS);
      const { topics, initial, cursor, load } = options;
      const removedBy = listOf(options.removedBy);
      const { state, ...rest } = useReduced<readonly Data[]>(
        unique([...listOf(types), ...removedBy]),
        listOf(topics),
        { initial: initial ?? NOTHING, cursor },
        listReducer(options, removedBy),
        load === undefined
          ? undefined
          : async (context): Promise<Loaded<readonly Data[]>> => {
              const { items, cursor: loadedAt } = await load(context);
              return { state: items, cursor: loadedAt };
            },
      );
      return { items: state, ...rest };
    },
    useEventReducer<State>(
      types: OneOrMore<string>,
      reduce: Reduce<State>,
      options: ReducerOptions<Matcher, State>,
    ) {
      checkHookOptions(options, REDUCER_OPTIONS);
      const { topics, initial, cursor, load } = options;
      return useReduced(listOf(types), listOf(topics), { initial, cursor }, reduce, load);
    },
    useEvent(types, listener, options = {}) {
      checkHookOptions(options, EVENT_OPTIONS);
      const { connection } = useStore();
      const latest = useRef(listener);
      useInsertionEffect(() => {
        latest.current = listener;
      });
      const key = JSON.stringify([listOf(types), listOf(options.topics)]);
      useEffect(() => {
        const [names, topics] = JSON.parse(key) as [string[], Matcher[]];
        const listen = hearing.wrap(connection.listen);
        const removals = names.map((type) => listen(type, (event) => latest.current(event)));
        removals.push(connection.hold(topics, SILENT));
        return () => {
          for (const remove of removals) remove();
        };
      }, [connection, key]);
    },
    usePresence<Data>(topic: string, options: PresenceOptions = {}) {
      checkHookOptions(options, PRESENCE_OPTIONS);
      const topics = [PRESENCE_PREFIX + topic];
      useJoin(options.join === false ? [] : [topic]);
      const found = useShared(
        { types: ['presence'], topics, make: () => presenceValue(topic) },
        'presence',
        topic,
      );
      return found as Presence<Data> | undefined;
    },
  };
}

/** Holds topics as long as the component is there. */
function useJoin(topics: readonly string[]): void {
  const { connection } = useStore();
  const [topic] = topics;
  useEffect(() => (topic === undefined ? undefined : connection.hold([topic], SILENT)), [connection, topic]);
}

const SILENT = {
  begins(): void {
    // A hook hears everything that comes.
  },
  refused(): void {
    // The connection's error says so.
  },
};
const NONE: ReadonlyMap<string, never> = new Map<string, never>();
const NOTHING: readonly never[] = [];
const nothing = (): undefined => undefined;

function listOf<T>(given: OneOrMore<T> | undefined): readonly T[] {
  if (given === undefined) return [];
  return Array.isArray(given) ? (given as readonly T[]) : [given as T];
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
