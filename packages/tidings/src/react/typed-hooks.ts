import type { ReceivedEvent } from '../client/event-client.ts';
import type { Events, EventSchemas, PatternIn, TopicIn } from '../events/define-events.ts';
import {
  type TypedClientOptions,
  typedClient,
  type TypedEventOf,
  type TypeIn,
} from '../events/typed-client.ts';
import type { Listen } from './ears.ts';
import { createHooks, type Hooks } from './hooks.ts';
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
import type { Hearing } from './shared-values.ts';
import type { Presence } from './values.ts';

/** The topics of the defined events, the patterns they are defined by, and who is there. */
type TypedMatcher<Schemas> =
  | TopicIn<Schemas>
  | `presence/${TopicIn<Schemas>}`
  | { readonly pattern: PatternIn<Schemas> };

type DataOf<Schemas, Checked, Type extends string> = ReturnType<TypedEventOf<Schemas, Checked, Type>['json']>;

/** The hooks, with the types of your events. An event doesn't say its topic, so data is that of all topics with its type. */
export interface TypedHooks<Schemas extends EventSchemas, Checked extends boolean> {
  useLatest<Type extends TypeIn<Schemas>>(
    type: Type,
    options: LatestOptions<TypedMatcher<Schemas>, DataOf<Schemas, Checked, Type>> & {
      readonly initial: DataOf<Schemas, Checked, Type>;
    },
  ): DataOf<Schemas, Checked, Type>;
  useLatest<Type extends TypeIn<Schemas>>(
    type: Type,
    options?: LatestOptions<TypedMatcher<Schemas>, DataOf<Schemas, Checked, Type>>,
  ): DataOf<Schemas, Checked, Type> | undefined;
  useStates<Type extends TypeIn<Schemas>>(
    types: OneOrMore<Type>,
    options?: StatesOptions<TypedMatcher<Schemas>, DataOf<Schemas, Checked, Type>> & {
      readonly removedBy?: OneOrMore<TypeIn<Schemas>> | undefined;
    },
  ): ReadonlyMap<string, DataOf<Schemas, Checked, Type>>;
  useList<Type extends TypeIn<Schemas>, Data = DataOf<Schemas, Checked, Type>>(
    types: OneOrMore<Type>,
    options?: ListOptions<TypedMatcher<Schemas>, Data, TypedEventOf<Schemas, Checked, Type>> & {
      readonly removedBy?: OneOrMore<TypeIn<Schemas>> | undefined;
    },
  ): ListResult<Data>;
  useEventReducer<Type extends TypeIn<Schemas>, State>(
    types: OneOrMore<Type>,
    reduce: (state: State, event: TypedEventOf<Schemas, Checked, Type>) => State,
    options: ReducerOptions<TypedMatcher<Schemas>, State>,
  ): ReducerResult<State>;
  useEvent<Type extends TypeIn<Schemas>>(
    types: OneOrMore<Type>,
    listener: (event: TypedEventOf<Schemas, Checked, Type>) => void,
    options?: EventHookOptions<TypedMatcher<Schemas>>,
  ): void;
  usePresence<Data = unknown>(topic: TopicIn<Schemas>, options?: PresenceOptions): Presence<Data> | undefined;
}

let made = 0;

/**
 * The hooks, with the types of your events. Call it once, outside of components: hooks of two calls share no values.
 *
 * @throws {TidingsError} `client/invalid-option`
 */
export function typedHooks<Schemas extends EventSchemas, const Checked extends boolean = false>(
  events: Events<Schemas>,
  options: TypedClientOptions<Checked> = {},
): TypedHooks<Schemas, Checked> {
  made += 1;
  const wrap = (listen: Listen): Listen => {
    const typed = typedClient({ on: listen, [Symbol.asyncIterator]: neverIterated }, events, options);
    return typed.on as unknown as Listen;
  };
  // A wrong option is noticed here, not in a component.
  wrap(() => () => undefined);
  const hearing: Hearing = { id: `typed ${made}`, wrap };
  const hooks: Hooks = createHooks(hearing);
  return hooks as unknown as TypedHooks<Schemas, Checked>;
}

function neverIterated(): AsyncIterator<ReceivedEvent, undefined> {
  return { next: () => Promise.resolve({ done: true, value: undefined }) };
}
