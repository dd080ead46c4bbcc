import type { Matcher } from 'tidings';
import { createMatcherSet, describe } from 'tidings/transport';
import type { Hub } from './hub.ts';
import { MATCHER_TYPES, type MatcherType, type TypedMatcher, assertMatcher, toMatchers } from './matchers.ts';
import { mapInTurns } from './turns.ts';

/** The type of the details that concern this protocol: https://www.rfc-editor.org/rfc/rfc9396 */
export const DETAIL_TYPE = 'https://mercure.rocks/authorization-detail';

/** The rights that a token gives. */
export interface Permissions {
  readonly publish: readonly Matcher[];
  /** Topics whose private updates it may read. */
  readonly subscribe: readonly Matcher[];
  /** The payload that a subscription shows, by its matcher's text: that of the first detail that matches it. */
  readonly payloadOf: (matcher: string) => Payload | undefined;
}

export type Payload = Readonly<Record<string, unknown>>;

export const NOTHING: Permissions = { publish: [], subscribe: [], payloadOf: () => undefined };

interface Detail {
  readonly actions: readonly string[];
  readonly topics: readonly TypedMatcher[];
  readonly payload: Payload | undefined;
}

const MAX_DETAILS = 32;
const MAX_TOPICS = 100;

/** The reasons for which a token is invalid. */
export class InvalidDetails extends Error {}

/**
 * The permissions of a token's claim `authorization_details`. One wrong detail makes the whole token invalid: without it, the
 * rest would allow something else than its issuer meant.
 *
 * @throws {InvalidDetails}
 */
export async function readAuthorizationDetails(
  claim: unknown,
  hub: Pick<Hub, 'urlPatterns' | 'names'>,
): Promise<Permissions> {
  const details = parseDetails(claim);
  const compiled = await mapInTurns(
    details.flatMap(({ actions, topics, payload }) => topics.map((topic) => ({ actions, topic, payload }))),
    ({ actions, topic, payload }) => ({ actions, payload, matchers: compile(topic, hub) }),
  );
  const allowing = (action: string): typeof compiled =>
    compiled.filter(({ actions }) => actions.includes(action));
  const subscribe = allowing('subscribe');
  const payloads = subscribe
    .filter(({ payload }) => payload !== undefined)
    .map(({ payload, matchers }) => ({ payload, set: createMatcherSet(matchers) }));
  return {
    publish: allowing('publish').flatMap(({ matchers }) => matchers),
    subscribe: subscribe.flatMap(({ matchers }) => matchers),
    payloadOf: (text) => payloads.find(({ set }) => set.matchesTopic(hub.names.onLog(text)))?.payload,
  };
}

function parseDetails(claim: unknown): readonly Detail[] {
  if (claim === undefined) return [];
  if (!Array.isArray(claim))
    throw new InvalidDetails(`\`authorization_details\` is no list, but ${describe(claim)}`);
  const ours = claim.filter((detail) => asObject(detail, 'an authorization detail')['type'] === DETAIL_TYPE);
  if (ours.length > MAX_DETAILS)
    throw new InvalidDetails(`\`authorization_details\` has more than ${MAX_DETAILS} entries`);
  const details = ours.map((detail) => parseDetail(detail as Record<string, unknown>));
  const topics = details.reduce((sum, each) => sum + each.topics.length, 0);
  if (topics > MAX_TOPICS)
    throw new InvalidDetails(`\`authorization_details\` has more than ${MAX_TOPICS} topics`);
  return details;
}

function parseDetail({ actions, topics, payload }: Record<string, unknown>): Detail {
  return {
    actions: asList(actions, '`actions`').map((action) => asText(action, 'an action')),
    topics: asList(topics, '`topics`').map(parseTopic),
    payload: payload === undefined ? undefined : asObject(payload, '`payload`'),
  };
}

function parseTopic(topic: unknown): TypedMatcher {
  const { match, match_type: type = 'exact' } = asObject(topic, 'an entry of `topics`');
  const text = asText(match, '`match`');
  assertMatcherOf(text);
  if (!(MATCHER_TYPES as readonly unknown[]).includes(type))
    throw new InvalidDetails(
      `\`match_type\` is not one of ${MATCHER_TYPES.join(', ')}, but ${describe(type)}`,
    );
  return { type: type as MatcherType, text };
}

function assertMatcherOf(text: string): void {
  try {
    assertMatcher(text);
  } catch (cause) {
    throw new InvalidDetails('a `match` is no matcher', { cause });
  }
}

function compile(topic: TypedMatcher, hub: Pick<Hub, 'urlPatterns' | 'names'>): readonly Matcher[] {
  try {
    return toMatchers(topic, hub);
  } catch (cause) {
    throw new InvalidDetails('a `match` is no URL Pattern', { cause });
  }
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new InvalidDetails(`${what} is no object, but ${describe(value)}`);
}

function asList(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value as readonly unknown[];
  throw new InvalidDetails(`${what} is no list with entries, but ${describe(value)}`);
}

function asText(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new InvalidDetails(`${what} is no text, but ${describe(value)}`);
}
