import { createError } from '../protocol/errors.ts';
import { describe } from '../protocol/options.ts';
import type { InputOf, StandardSchema } from './schema.ts';

/** For each topic or pattern, a data schema per event type. */
export type EventSchemas = Readonly<Record<string, Readonly<Record<string, StandardSchema>>>>;

/** The event definitions that server and client share. */
export interface Events<Schemas extends EventSchemas = EventSchemas> {
  readonly schemas: Schemas;
}

/** The topics that a pattern matches. A `:name` allows for slashes here; the hub does not. */
export type TopicOf<Pattern extends string> = Pattern extends `${string}\\${string}`
  ? string
  : Pattern extends `${infer Before}*${infer After}`
    ? `${TopicOf<Before>}${string}${TopicOf<After>}`
    : Pattern extends `${infer Segment}/${infer Rest}`
      ? `${SegmentOf<Segment>}/${TopicOf<Rest>}`
      : SegmentOf<Pattern>;
type SegmentOf<Segment extends string> = Segment extends `:${string}` ? string : Segment;

export type PatternIn<Schemas> = keyof Schemas & string;
export type TopicIn<Schemas> = TopicOf<PatternIn<Schemas>>;
/** The patterns that define a topic's events. */
type PatternFor<Schemas, Topic extends string> = {
  [Pattern in PatternIn<Schemas>]: Topic extends TopicOf<Pattern> ? Pattern : never;
}[PatternIn<Schemas>];

/** The types that each of the topics has. */
export type TypeOn<Schemas, Topic extends string> = keyof Schemas[PatternFor<Schemas, Topic>] & string;

/** The data that an event of this type may carry on all of these topics at once. */
export type DataFor<Schemas, Topic extends string, Type> = (
  PatternFor<Schemas, Topic> extends infer Pattern
    ? Pattern extends keyof Schemas
      ? Type extends keyof Schemas[Pattern]
        ? (data: InputOf<Schemas[Pattern][Type] & StandardSchema>) => void
        : (data: never) => void
      : never
    : never
) extends (data: infer Data) => void
  ? Data
  : never;

/**
 * Defines your events: for each topic or pattern and each event type, a schema from any library that supports
 * Standard Schema. Unnamed events have the type `message`.
 *
 * @throws {TidingsError} `event/invalid-option`
 */
export function defineEvents<const Schemas extends EventSchemas>(schemas: Schemas): Events<Schemas> {
  for (const [pattern, types] of entriesOf(schemas, 'the schemas')) {
    for (const [type, schema] of entriesOf(types, `the types of "${pattern}"`)) {
      const validate = (schema as Partial<StandardSchema> | null | undefined)?.['~standard']?.validate;
      if (typeof validate === 'function') continue;
      throw invalid(`Expected "${type}" of "${pattern}" to be a Standard Schema, got ${describe(schema)}.`);
    }
  }
  return { schemas };
}

function entriesOf(bag: unknown, what: string): [string, unknown][] {
  if (typeof bag === 'object' && bag !== null) return Object.entries(bag);
  throw invalid(`Expected ${what} to be an object, got ${describe(bag)}.`);
}

function invalid(message: string): Error {
  return createError('event/invalid-option', message);
}
