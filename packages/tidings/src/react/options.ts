import type { LoadContext, Load, Reduction } from './reduced.ts';
import type { KeyNames } from './values.ts';

export type OneOrMore<T> = T | readonly T[];

export interface EventHookOptions<Topic> {
  /**
   * The topics that the connection has to have for this hook; several hooks may name the same. Without, the hook hears
   * what others ask for, and what the URL is for by itself. On the wire an event doesn't say its topic, so a hook hears all events of its
   * types.
   */
  readonly topics?: OneOrMore<Topic> | undefined;
}

export interface LatestOptions<Topic, Data> extends EventHookOptions<Topic> {
  /** Until the first event, and on the server. */
  readonly initial?: Data | undefined;
}

export interface StatesOptions<Topic, Data> extends EventHookOptions<Topic> {
  /** The property of the data that is the key, or several that are together. Default: the event's type is the key. */
  readonly key?: KeyNames | undefined;
  /** Event types that delete their key. An event without a value (null) does so anyway. */
  readonly removedBy?: OneOrMore<string> | undefined;
  /** Until the first event, and on the server. */
  readonly initial?: ReadonlyMap<string, Data> | undefined;
}

export interface LoadedItems<Data> {
  readonly items: readonly Data[];
  /** Where they are true: they contain everything up to there. */
  readonly cursor: string;
}

export interface ListOptions<Topic, Data, Event> extends EventHookOptions<Topic> {
  /** The most items to keep. Default 100. */
  readonly limit?: number | undefined;
  /** The end that is cut, and where items come in. Default `newest-last`. */
  readonly order?: 'newest-last' | 'newest-first' | undefined;
  /** The property that tells items apart, or several: an item that is there already is replaced in its place. */
  readonly key?: KeyNames | undefined;
  /** Event types that remove the item with their key. */
  readonly removedBy?: OneOrMore<string> | undefined;
  /** Instead of all that: makes a new list of the old one and an event. It is cut to `limit` afterwards. */
  readonly reduce?: ((items: readonly Data[], event: Event) => readonly Data[]) | undefined;
  /** Until there is more, and on the server. */
  readonly initial?: readonly Data[] | undefined;
  /** Where `initial` is true: `load` is only called if events are missing since. */
  readonly cursor?: string | undefined;
  /** Fetches the items; called at first, and after gaps. */
  readonly load?: ((context: LoadContext) => Promise<LoadedItems<Data>>) | undefined;
}

export interface ListResult<Data> extends Omit<ReducerResult<unknown>, 'state'> {
  readonly items: readonly Data[];
}

export interface ReducerOptions<Topic, State> extends EventHookOptions<Topic> {
  /** Until there is more, and on the server. */
  readonly initial: State;
  /** Where `initial` is true: `load` is only called if events are missing since. */
  readonly cursor?: string | undefined;
  /** Fetches the state; called at first, and after gaps. */
  readonly load?: Load<State> | undefined;
}

export interface ReducerResult<State> extends Reduction<State> {
  /** Calls `load` again. */
  readonly reload: () => void;
}

export interface PresenceOptions {
  /** Whether to be there. Default true; false only watches. */
  readonly join?: boolean | undefined;
}
