import { createError } from '../protocol/errors.ts';
import type { Events, EventSchemas, PatternIn } from './define-events.ts';
import { type Checks, aBoolean, aFunction, assertOptions } from '../protocol/options.ts';
import { describeIssue, type Json, type OutputOf, type StandardSchema } from './schema.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';

/** The part of a client that is needed here. */
interface Source<Event extends Received> extends AsyncIterable<Event, undefined> {
  on(type: string, listener: (event: Event) => void): () => void;
}

interface Received {
  readonly type: string;
  readonly data: string;
  readonly cursor: string;
}

export type TypeIn<Schemas> = {
  [Name in PatternIn<Schemas>]: keyof Schemas[Name] & string;
}[PatternIn<Schemas>];

/** The data that an event of this type may have, on any topic. */
type DataOf<Schemas, Type> = {
  [Name in PatternIn<Schemas>]: Type extends keyof Schemas[Name]
    ? OutputOf<Schemas[Name][Type] & StandardSchema>
    : never;
}[PatternIn<Schemas>];

export interface TypedEvent<Type extends string, Data> {
  readonly type: Type;
  /** The received text. */
  readonly data: string;
  readonly cursor: string;
  json(): Data;
}

type AnyTypedEvent<Schemas, Checked> = {
  [Type in TypeIn<Schemas>]: TypedEvent<
    Type,
    Checked extends true ? DataOf<Schemas, Type> : Json<DataOf<Schemas, Type>>
  >;
}[TypeIn<Schemas>];

export interface TypedClientOptions<Checked extends boolean> {
  /**
   * Whether to check received data; `json()` then returns the schema's output. It is given the output of the server's
   * check, after a round trip through JSON. Default: false, the server's check is trusted.
   */
  readonly validate?: Checked;
  /** Gets the events that don't match their definition, instead of the listener or loop. Default: `console.error`. */
  readonly onInvalid?: (error: TidingsError, event: Received) => void;
}

export type TypedEventOf<Schemas, Checked, Type extends string> = Extract<
  AnyTypedEvent<Schemas, Checked>,
  { readonly type: Type }
>;

/** Iterating yields the events of defined types and skips others. */
export interface TypedClient<Schemas extends EventSchemas, Checked extends boolean> extends AsyncIterable<
  AnyTypedEvent<Schemas, Checked>,
  undefined
> {
  /** @returns a function that removes the listener. */
  on<Type extends TypeIn<Schemas>>(
    type: Type,
    listener: (event: TypedEventOf<Schemas, Checked, Type>) => void,
  ): () => void;
}

export const TYPED_CLIENT_OPTIONS: Checks<TypedClientOptions<boolean>> = {
  validate: aBoolean,
  onInvalid: aFunction,
};

/** Adds the types of your events to a client, which itself stays the same. */
export function typedClient<Schemas extends EventSchemas, const Checked extends boolean = false>(
  client: Source<Received>,
  events: Events<Schemas>,
  options: TypedClientOptions<Checked> = {},
): TypedClient<Schemas, Checked> {
  assertOptions(options, TYPED_CLIENT_OPTIONS, '', (option, message) =>
    createError('client/invalid-option', message, { details: { option } }),
  );
  const { validate = false, onInvalid = (error) => console.error(error) } = options;
  /** An event on the wire doesn't name its topic: these are the schemas of every topic that has the type. */
  const schemasOf = new Map<string, StandardSchema[]>();
  for (const types of Object.values(events.schemas)) {
    for (const [type, schema] of Object.entries(types)) {
      schemasOf.set(type, [...(schemasOf.get(type) ?? []), schema]);
    }
  }

  /** @returns undefined for an event that doesn't match its definition. */
  function read(event: Received): TypedEvent<string, unknown> | undefined {
    const { type, data, cursor } = event;
    if (!validate) return { type, data, cursor, json: () => JSON.parse(data) as unknown };
    try {
      const value = check(event, schemasOf.get(type) ?? []);
      return { type, data, cursor, json: () => value };
    } catch (error) {
      onInvalid(error as TidingsError, event);
      return undefined;
    }
  }

  async function* iterate(): AsyncGenerator<TypedEvent<string, unknown>, undefined> {
    for await (const event of client) {
      const typed = schemasOf.has(event.type) ? read(event) : undefined;
      if (typed !== undefined) yield typed;
    }
  }

  return {
    on(type: string, listener: (event: never) => void) {
      return client.on(type, (event) => {
        const typed = read(event);
        if (typed !== undefined) listener(typed as never);
      });
    },
    [Symbol.asyncIterator]: iterate as () => AsyncIterator<never, undefined>,
  };
}

/** @throws {TidingsError} `event/invalid-data` */
function check({ type, data }: Received, schemas: readonly StandardSchema[]): unknown {
  const issues: string[] = [];
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch (cause) {
    throw createError('event/invalid-data', `The data of "${type}" is not JSON.`, { cause });
  }
  for (const schema of schemas) {
    const result = schema['~standard'].validate(value);
    if ('then' in result) {
      result.catch(() => {
        // Its result isn't needed here.
      });
      issues.push('the schema is asynchronous, and what comes in is checked at once');
    } else if (result.issues === undefined) {
      return result.value;
    } else {
      issues.push(...result.issues.map(describeIssue));
    }
  }
  throw createError('event/invalid-data', `The data of "${type}" is invalid. ${issues.join('; ')}`, {
    details: { type, issues },
  });
}
