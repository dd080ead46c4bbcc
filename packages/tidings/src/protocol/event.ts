import { RESERVED_PREFIX } from './control.ts';
import { createError } from './errors.ts';
import type { TidingsError } from './tidings-error.ts';
import { aNumber, assertOptions, describe, likelyName } from './options.ts';
import { type Tags, checkTags } from './tags.ts';
import { assertTopic, MAX_TOPIC_LENGTH, PRESENCE_PREFIX, RUNS_PREFIX } from './matcher.ts';

/** An event's options, apart from its topics and data. */
export interface EventOptions {
  /** SSE event type; absent means `message`. No CR, LF or NUL, and not beginning with `tidings:`. */
  readonly type?: string;
  /** The publisher's own name for the event: the log stores an id only once. 1 to 255 characters. */
  readonly id?: string;
  /** The state that this event is the newest value of. 1 to 255 characters. */
  readonly key?: string;
  /** Deletes the key: snapshots no longer contain it. Connections that follow or resume still receive this event. */
  readonly tombstone?: boolean;
  /**
   * Milliseconds after which the key is deleted, unless a newer value comes first. Subscribers get the deletion as a
   * tombstone. Needs a `key` and a topic that is a state.
   */
  readonly ttl?: number;
  /**
   * Publishes only if the newest value of the key is the event with this seq, whichever process asks; else rejects with
   * `event/conflict`. `Published` has an event's seq. Needs a `key` and a topic that is a state.
   */
  readonly ifSeq?: number;
  /** Publishes only if the key has no value; else rejects with `event/conflict`. Needs the same as `ifSeq`. */
  readonly ifAbsent?: boolean;
  /** Only for connections that `authorize` granted one of the topics to. */
  readonly private?: boolean;
  /** Sends `data`, a string, verbatim instead of as JSON. */
  readonly raw?: boolean;
  /**
   * Small texts that go with the event, by name: `{ traceparent: '00-…' }`. They aren't on the wire; readers in this process
   * get them, and a transport can find an event by one. Up to 8, of 1 to 255 characters. Not together with a `key`.
   */
  readonly tags?: Tags;
}

/** One event for `publishAll`. */
export interface EventInput extends EventOptions {
  /** One topic or several; the first is canonical. */
  readonly topics: string | readonly string[];
  readonly data: unknown;
}

/** A validated event, ready to be appended to a log. */
export interface NewEvent {
  readonly topics: readonly [string, ...string[]];
  readonly type: string | undefined;
  readonly data: string;
  readonly id: string | undefined;
  readonly key: string | undefined;
  readonly tombstone: boolean;
  readonly private: boolean;
  /** Ids of events that this one superseded before they were appended. The log takes them for this event's as well. */
  readonly supersededIds?: readonly string[];
  /** Milliseconds, by the log's time, after which the log deletes the key. Only on state topics. */
  readonly ttl?: number | undefined;
  /** The event is appended only if this is the seq of its key's value; 0: only if the key has none. On state topics. */
  readonly ifSeq?: number | undefined;
  readonly pace?: Pace | undefined;
}

/** The rhythm at which a log takes values of one key. Only on state topics. */
export interface Pace {
  /** The least milliseconds between two values, by the log's time. */
  readonly interval: number;
  /** Milliseconds that have passed since the event was published: of two values, the one published later counts. */
  readonly waited: number;
}

export interface EventLimits {
  /** UTF-16 units of one topic. */
  readonly topicLength: number;
  readonly topicsPerEvent: number;
  /** UTF-16 units of the data. */
  readonly eventLength: number;
}

export const DEFAULT_EVENT_LIMITS: EventLimits = {
  topicLength: MAX_TOPIC_LENGTH,
  topicsPerEvent: 16,
  eventLength: 1_048_576,
};

const MAX_NAME_LENGTH = 255;
/** Characters that would end a line of the stream, and half surrogate pairs, which UTF-8 can't encode. */
// oxlint-disable-next-line no-control-regex
const UNSENDABLE = /[\r\n\u0000]|\p{Surrogate}/u;

/** The reserved topics, by prefix, and who publishes there. */
const OWNERS = [
  { prefix: PRESENCE_PREFIX, owner: 'the hub itself' },
  { prefix: RUNS_PREFIX, owner: '`tidings/ai`' },
] as const;

/** @throws {TidingsError} like `createEvent`. */
export function toNewEvent(
  input: EventInput,
  limits: EventLimits = DEFAULT_EVENT_LIMITS,
  mayUse?: typeof RUNS_PREFIX,
): NewEvent {
  return createEvent(input.topics, input.data, input, limits, mayUse);
}

/**
 * Takes an event apart, as `publish` does: putting it together first would double the cost of the checks (`publish`).
 *
 * @param mayUse the reserved prefix whose topics this publisher may use.
 * @throws {TidingsError} with status 400: `topic/*`, `event/too-many-topics`, `event/invalid-type`,
 * `event/invalid-id`, `event/invalid-key`, `event/invalid-option`, `event/invalid-data`; with status 413: `event/too-large`.
 */
export function createEvent(
  on: string | readonly string[],
  value: unknown,
  input: EventOptions,
  limits: EventLimits,
  mayUse?: typeof RUNS_PREFIX,
): NewEvent {
  assertKnownOptions(input);
  const topics = withTags(toTopics(on, limits, mayUse), input);
  const data = encodeData(value, input.raw ?? false);
  assertLength(data, limits);
  const event: NewEvent = {
    topics,
    type: input.type === undefined || input.type === 'message' ? undefined : checkType(input.type),
    data,
    id: input.id === undefined ? undefined : checkName('event/invalid-id', 'id', input.id),
    key: input.key === undefined ? undefined : checkName('event/invalid-key', 'key', input.key),
    tombstone: input.tombstone ?? false,
    private: input.private ?? false,
  };
  // Most events have none of these, and a spread takes as long as all the rest (`publish`).
  if (input.ttl === undefined && input.ifSeq === undefined && input.ifAbsent !== true) return event;
  return { ...event, ...(input.ttl !== undefined && { ttl: input.ttl }), ...toCondition(input) };
}

/** @throws {TidingsError} `event/too-large`. */
export function assertLength(data: string, { eventLength }: EventLimits): void {
  if (data.length <= eventLength) return;
  throw createError('event/too-large', `An event's data may have ${eventLength} characters.`, {
    details: { length: data.length, maxLength: eventLength },
  });
}

/** @throws {TidingsError} `event/invalid-option`. */
function withTags(
  topics: readonly [string, ...string[]],
  { tags, key }: EventOptions,
): readonly [string, ...string[]] {
  if (tags === undefined) return topics;
  // A newer value takes an older one's topics, and would leave it with its tags alone.
  if (key !== undefined) throw invalidOption('tags', 'An event with a `key` has no `tags`.');
  return [...topics, ...checkTags(tags)];
}

/** @throws {TidingsError} `event/invalid-option`. */
function toCondition({ ifSeq, ifAbsent = false, key, ttl }: EventOptions): Pick<NewEvent, 'ifSeq'> {
  const needsKey =
    ttl !== undefined ? 'ttl' : ifSeq !== undefined ? 'ifSeq' : ifAbsent ? 'ifAbsent' : undefined;
  if (needsKey === undefined) return {};
  if (key === undefined) throw invalidOption(needsKey, `An event with \`${needsKey}\` needs a \`key\`.`);
  if (ifSeq !== undefined && ifAbsent)
    throw invalidOption('ifAbsent', 'An event has either `ifSeq` or `ifAbsent`.');
  if (ifAbsent) return { ifSeq: 0 };
  return ifSeq === undefined ? {} : { ifSeq };
}

function invalidOption(option: string, message: string): TidingsError {
  return createError('event/invalid-option', message, { details: { option } });
}

const KNOWN = new Set([
  'topics',
  'data',
  'type',
  'id',
  'key',
  'tombstone',
  'private',
  'raw',
  'ttl',
  'ifSeq',
  'ifAbsent',
  'tags',
]);
const TTL = aNumber({ min: 1, finite: true });
const SEQ = aNumber({ min: 1, max: Number.MAX_SAFE_INTEGER, integer: true });

/** A misspelt `privat` must not make an event public, and `private: 'false'` must not make it private. */
function assertKnownOptions(input: EventOptions): void {
  assertBag(input, 'the options of an event');
  for (const name in input) {
    if (KNOWN.has(name)) continue;
    const likely = likelyName(name, [...KNOWN]);
    const advice = likely === undefined ? '' : ` Did you mean "${likely}"?`;
    throw createError('event/invalid-option', `Events have no option "${name}".${advice}`, {
      details: { option: name },
    });
  }
  const { ttl, ifSeq } = input;
  // By name: access by a variable's name is as slow as all other checks together (`publish`).
  assertFlag('tombstone', input.tombstone);
  assertFlag('private', input.private);
  assertFlag('raw', input.raw);
  assertFlag('ifAbsent', input.ifAbsent);
  if (ttl !== undefined) assertOptions({ ttl }, { ttl: TTL }, '', invalidOption);
  if (ifSeq !== undefined) assertOptions({ ifSeq }, { ifSeq: SEQ }, '', invalidOption);
}

/** @throws {TidingsError} `event/invalid-option`. */
export function assertBag(input: unknown, what: string): void {
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return;
  throw createError('event/invalid-option', `Expected ${what} to be an object, got ${describe(input)}.`);
}

function assertFlag(option: keyof EventOptions, value: unknown): void {
  if (value === undefined || typeof value === 'boolean') return;
  const message = `Expected \`${option}\` of an event to be true or false, got ${describe(value)}.`;
  throw createError('event/invalid-option', message, { details: { option } });
}

function assertPublishable(topic: string, limits: EventLimits, mayUse: string | undefined): void {
  assertTopic(topic, limits.topicLength);
  for (const { prefix, owner } of OWNERS) {
    if (prefix === mayUse || !topic.startsWith(prefix)) continue;
    const message = `Topics that begin with "${prefix}" are reserved; only ${owner} publishes there.`;
    throw createError('topic/reserved', message, { details: { topic } });
  }
}

function toTopics(
  topics: string | readonly string[],
  limits: EventLimits,
  mayUse: string | undefined,
): readonly [string, ...string[]] {
  if (typeof topics === 'object' && topics !== null && !Array.isArray(topics)) {
    const message =
      'Expected a topic or a list of topics; got an object. Write `publish(topic, data, options)`, or ' +
      '`publishAll([{ topics, data }])`.';
    throw createError('topic/invalid', message, { details: { topic: topics } });
  }
  if (typeof topics === 'string') {
    assertPublishable(topics, limits, mayUse);
    return [topics];
  }
  // Any other value from a caller without types is checked as a topic.
  const [first, ...rest] = new Set(Array.isArray(topics) ? (topics as readonly string[]) : [topics]);
  if (first === undefined) {
    throw createError('topic/missing', 'An event needs at least one topic.');
  }
  if (rest.length >= limits.topicsPerEvent) {
    throw createError('event/too-many-topics', `An event may carry ${limits.topicsPerEvent} topics.`, {
      details: { topics: rest.length + 1, maxTopics: limits.topicsPerEvent },
    });
  }
  for (const topic of [first, ...rest]) assertPublishable(topic, limits, mayUse);
  return [first, ...rest];
}

/** @throws {TidingsError} `event/invalid-type`. Encoding a greeting uses it too. */
export function checkType(type: string): string {
  if (typeof type !== 'string' || type === '' || type.length > MAX_NAME_LENGTH || UNSENDABLE.test(type)) {
    const message = `An event type is 1 to ${MAX_NAME_LENGTH} characters without CR, LF, NUL and lone surrogates.`;
    throw createError('event/invalid-type', message, { details: { type } });
  }
  if (type.startsWith(RESERVED_PREFIX)) {
    const message = `Event types beginning with "${RESERVED_PREFIX}" are reserved.`;
    throw createError('event/invalid-type', message, { details: { type } });
  }
  return type;
}

function checkName(code: 'event/invalid-id' | 'event/invalid-key', what: string, name: string): string {
  if (typeof name === 'string' && name !== '' && name.length <= MAX_NAME_LENGTH && !UNSENDABLE.test(name)) {
    return name;
  }
  const message = `An event ${what} is 1 to ${MAX_NAME_LENGTH} characters without CR, LF, NUL and lone surrogates.`;
  throw createError(code, message, { details: { [what]: name } });
}

/** @throws {TidingsError} `event/invalid-data` if JSON can't represent the data. */
export function encodeData(data: unknown, raw: boolean): string {
  if (raw) {
    if (typeof data === 'string') return data;
    throw createError('event/invalid-data', 'With `raw`, data is a string.');
  }
  if (data instanceof Promise) {
    throw createError('event/invalid-data', 'The data is a promise; await it first.');
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(data);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw createError('event/invalid-data', `The data cannot be written as JSON: ${reason}`, {
      cause,
    });
  }
  if (text !== undefined) return text;
  throw createError('event/invalid-data', `JSON has no ${typeof data}; send null if nothing is meant.`);
}
