import { createError } from '../protocol/errors.ts';
import type { EventInput, EventOptions } from '../protocol/event.ts';
import type { DataFor, Events, EventSchemas, PatternIn, TopicIn, TopicOf, TypeOn } from './define-events.ts';
import { Pattern } from '../protocol/pattern.ts';
import { describeIssue, type InputOf, type StandardSchema } from './schema.ts';

/** As much of a hub as is needed here. */
interface Publisher<Published> {
  publishAll(events: readonly EventInput[]): Promise<readonly Published[]>;
}

/** The type stands on its own, and data that has a schema is no raw text. */
export type TypedOptions = Omit<EventOptions, 'type' | 'raw'>;

/** Any event there is, as `publishAll` takes it. */
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
   * Publishes what the schema makes of the data: with its defaults, and without what it doesn't know. Of an event on
   * several topics, the data suits each of them, and what the first one's schema makes of it is published.
   *
   * @throws {TidingsError} `event/undeclared` if there is no such type on one of the topics, `event/invalid-data` with
   * `details.issues`, and what `hub.publish` throws.
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

/** Publishes on a hub, and only what is defined. The hub itself is as it was. */
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
