import { createError } from './errors.ts';
import type { TidingsError } from './tidings-error.ts';
import { describe } from './options.ts';
import { UNUSABLE } from './matcher.ts';

/**
 * Tags are small texts that an event carries besides its data, by name. A log keeps each as one more topic of the event,
 * which nobody can ask for: its index by topic then finds an event by its tag, in every engine.
 */

/** Small texts by name, such as `{ traceparent: '00-…' }`. */
export type Tags = Readonly<Record<string, string>>;

/** No topic that anybody could ask for begins like this. (LMDB can't read long keys with the characters 1 to 4 again.) */
export const TAG_PREFIX = '\u001f';

const MAX_TAGS = 8;
const MAX_VALUE_LENGTH = 255;
const NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** @throws {TidingsError} `event/invalid-option`. */
export function checkTags(tags: Tags): readonly string[] {
  if (typeof tags !== 'object' || tags === null || Array.isArray(tags))
    throw invalid(`Expected \`tags\` of an event to be an object, got ${describe(tags)}.`);
  const all = Object.entries(tags);
  if (all.length > MAX_TAGS) throw invalid(`An event may have ${MAX_TAGS} tags; this one has ${all.length}.`);
  return all.map(([name, value]) => {
    if (!NAME.test(name))
      throw invalid(`A tag's name is 1 to 32 of a-z, 0-9 and "-", and begins with a letter; got "${name}".`);
    if (isValue(value)) return tagTopic(name, value);
    const expected = `1 to ${MAX_VALUE_LENGTH} characters without control characters and lone surrogates`;
    throw invalid(`Expected the tag \`${name}\` of an event to be ${expected}, got ${describe(value)}.`);
  });
}

function isValue(value: unknown): value is string {
  return (
    typeof value === 'string' && value !== '' && value.length <= MAX_VALUE_LENGTH && !UNUSABLE.test(value)
  );
}

/** The topic that stands for a tag; undefined if no event can have this tag. */
export function topicOfTag(name: string, value: string): string | undefined {
  return NAME.test(name) && isValue(value) ? tagTopic(name, value) : undefined;
}

/** Whether it stands for a tag. */
export function isTag(topic: string): boolean {
  return topic.startsWith(TAG_PREFIX);
}

/** The value of an event's tag. */
export function tagOf(topics: readonly string[], name: string): string | undefined {
  // The first is never one.
  for (let i = topics.length - 1; i > 0; i -= 1) {
    const topic = topics[i] as string;
    if (!topic.startsWith(TAG_PREFIX)) return undefined;
    if (topic.startsWith(name, TAG_PREFIX.length) && topic[TAG_PREFIX.length + name.length] === '=')
      return topic.slice(TAG_PREFIX.length + name.length + 1);
  }
  return undefined;
}

/** An event's topics without its tags. */
export function withoutTags(topics: readonly [string, ...string[]]): readonly [string, ...string[]] {
  if (!isTag(topics[topics.length - 1] as string)) return topics;
  return topics.filter((topic) => !isTag(topic)) as [string, ...string[]];
}

/** An event's tags, by name. */
export function tagsOf(topics: readonly string[]): Tags {
  const tags: Record<string, string> = {};
  for (const topic of topics) {
    if (!isTag(topic)) continue;
    const end = topic.indexOf('=', TAG_PREFIX.length);
    tags[topic.slice(TAG_PREFIX.length, end)] = topic.slice(end + 1);
  }
  return tags;
}

function tagTopic(name: string, value: string): string {
  return `${TAG_PREFIX}${name}=${value}`;
}

function invalid(message: string): TidingsError {
  return createError('event/invalid-option', message, { details: { option: 'tags' } });
}
