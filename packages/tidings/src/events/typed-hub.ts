import { createError } from '../protocol/errors.ts';
import type { EventInput, EventOptions } from '../protocol/event.ts';
import type { DataFor, Events, EventSchemas, PatternIn, TopicIn, TopicOf, TypeOn } from './define-events.ts';
import { Pattern } from '../protocol/pattern.ts';
import { describeIssue, type InputOf, type StandardSchema } from './schema.ts';

/** The part of a hub that is needed here. */
interface Publisher<Published> {
  publishAll(events: readonly EventInput[]): Promise<readonly Published[]>;
}

/** The type is an argument of its own, and data with a schema is never raw text. */
export type TypedOptions = Omit<EventOptions, 'type' | 'raw'>;

/** Any defined event, in the form of `publishAll`. */
export type EventFor<Schemas extends EventSchemas> = {
  [Name in PatternIn<Schemas>]: {
    [Type in keyof Schemas[Name] & string]: TypedOptions & {
      readonly topics: TopicOf<Name> | readonly TopicOf<Name>[];
      readonly data: InputOf<Schemas[Name][Type] & StandardSchema>;
    } & (Type extends 'message' ? { readonly type?: Type } : { readonly type: Type });
  }[keyof Schemas[Name] & string];
}[PatternIn<Schemas>];

export interface TypedHub<Schemas extends EventSchemas, Published> {
  /**
   * Publishes the schema's output: with its defaults, and without properties it doesn't know. The data of an event on
   * several topics must suit all of them; the first topic's schema gives the output.
   *
   * @throws {TidingsError} `event/undeclared` if there is no such type on one of the topics, `event/invalid-data` with
   * `details.issues`, and the errors of `hub.publish`.
   */
  publish<const Topic extends TopicIn<Schemas>, const Type extends TypeOn<Schemas, Topic>>(
    topics: Topic | readonly Topic[],
    data: DataFor<Schemas, Topic, NoInfer<Type>>,
    options: TypedOptions & { readonly type: Type },
  ): Promise<Published>;
  publish<const Topic extends TopicIn<Schemas>>(
    topics: Topic | readonly Topic[],
    data: DataFor<Schemas, Topic, 'message'>,
    options?: TypedOptions & { readonly type?: never },
  ): Promise<Published>;
  /** All or none, as `hub.publishAll`. Throws like `publish`. */
  publishAll(events: readonly EventFor<Schemas>[]): Promise<readonly Published[]>;
}

/** Publishes only defined events on a hub, which itself stays the same. */
export function typedHub<Schemas extends EventSchemas, Published>(
  hub: Publisher<Published>,
  events: Events<Schemas>,
): TypedHub<Schemas, Published> {
  const declared = Object.entries<Readonly<Record<string, StandardSchema>>>(events.schemas).map(
    ([name, types]) => ({ pattern: new Pattern(name), types: new Map(Object.entries(types)) }),
  );

  /** The topic's own definition comes before patterns, and an earlier one before a later one. */
  function schemaOf(topic: string, type: string): StandardSchema {
    const matching = declared.filter(({ pattern, types }) => types.has(type) && pattern.matches(topic));
    const found = matching.find(({ pattern }) => pattern.pattern === topic) ?? matching[0];
    const schema = found?.types.get(type);
    if (schema !== undefined) return schema;
    throw createError('event/undeclared', `There is no event of type "${type}" on the topic "${topic}".`, {
      details: { topic, type },
    });
  }

  async function check(event: EventInput): Promise<EventInput> {
    if (event.raw === true) {
      throw createError('event/invalid-option', 'Data that has a schema is no raw text.', {
        details: { option: 'raw' },
      });
    }
    const topics = typeof event.topics === 'string' ? [event.topics] : event.topics;
    const type = event.type ?? 'message';
    const schemas = [...new Set(topics.map((topic) => schemaOf(topic, type)))];
    const results = await Promise.all(
      schemas.map(async (schema) => schema['~standard'].validate(event.data)),
    );
    for (const result of results) {
      if (result.issues === undefined) continue;
      const lines = result.issues.map(describeIssue);
      const message = `The data of "${type}" on "${topics.join('", "')}" is invalid. ${lines.join('; ')}`;
      throw createError('event/invalid-data', message, { details: { topics, type, issues: lines } });
    }
    const [first] = results;
    return first !== undefined && 'value' in first ? { ...event, data: first.value } : event;
  }

  async function publishAll(list: readonly EventInput[]): Promise<readonly Published[]> {
    return hub.publishAll(await Promise.all(list.map(check)));
  }

  return {
    async publish(topics: string | readonly string[], data: unknown, options: EventOptions = {}) {
      const [published] = await publishAll([{ ...options, topics, data }]);
      return published as Published;
    },
    publishAll,
  };
}
