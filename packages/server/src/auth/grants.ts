import type { Matcher } from 'tidings';
import { createMatcherSet } from 'tidings/log';
import { createError, describe, likelyName } from 'tidings/transport';
import { type Claims, type Template, parseTemplate } from './template.ts';

/** The rights of a client. Private events come only on the topics of `private`. */
export interface Permissions {
  readonly publish: readonly Matcher[];
  readonly subscribe: readonly Matcher[];
  readonly private: readonly Matcher[];
}

/**
 * One entry of a list: text, a pattern, or a template to fill with claims. Text in a token is a topic, since a program
 * wrote it, perhaps with a name in it that a user chose. Text in the settings is a template.
 */
export type GrantMatcher = Matcher | { readonly template: string };

/** Absent: `private` is the same as `subscribe`. */
export interface GrantInput {
  readonly publish?: readonly GrantMatcher[];
  readonly subscribe?: readonly GrantMatcher[];
  readonly private?: readonly GrantMatcher[];
}

export type TextMeans = 'topic' | 'template';

/** Turns claims into permissions. */
export type GrantRule = (claims: Claims) => Permissions;

export const NO_PERMISSIONS: Permissions = { publish: [], subscribe: [], private: [] };

const FIELDS = ['publish', 'subscribe', 'private'] as const;
const MAX_MATCHERS = 256;
/** A topic like this was meant to be a pattern or a template. */
const SPECIAL = /[*{}]|(?:^|\/):[A-Za-z_$]/;

/**
 * Checks a grant as somebody wrote it.
 *
 * @param name of the claim or the setting, for messages.
 * @throws {TidingsError} `topic/*`: the caller wraps it, since it knows whose mistake it is.
 */
export function parseGrant(input: unknown, name: string, text: TextMeans): GrantRule {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw invalid(`Expected \`${name}\` to be an object, got ${describe(input)}.`);
  }
  const unknown = Object.keys(input).find((field) => !(FIELDS as readonly string[]).includes(field));
  if (unknown !== undefined) {
    const likely = likelyName(unknown, FIELDS);
    const advice = likely === undefined ? `Known are ${FIELDS.join(', ')}.` : `Did you mean \`${likely}\`?`;
    throw invalid(`There is no \`${name}.${unknown}\`. ${advice}`);
  }
  const { publish, subscribe, private: secret } = input as Readonly<Record<string, unknown>>;
  const rules = {
    publish: parseMatchers(publish ?? [], `${name}.publish`, text),
    subscribe: parseMatchers(subscribe ?? [], `${name}.subscribe`, text),
    private: secret === undefined ? undefined : parseMatchers(secret, `${name}.private`, text),
  };
  return (claims) => {
    const readable = rules.subscribe(claims);
    return {
      publish: rules.publish(claims),
      subscribe: readable,
      private: rules.private === undefined ? readable : rules.private(claims),
    };
  };
}

/** All that one of them permits. @throws {TidingsError} `topic/invalid` if that is too much. */
export function unite(all: readonly Permissions[]): Permissions {
  const [first = NO_PERMISSIONS, ...more] = all;
  if (more.length === 0) return first;
  return {
    publish: all.flatMap(({ publish }) => publish),
    subscribe: all.flatMap(({ subscribe }) => subscribe),
    private: all.flatMap((permissions) => permissions.private),
  };
}

/** @throws {TidingsError} `topic/*`. */
export function parseMatchers(
  list: unknown,
  name: string,
  text: TextMeans,
): (claims: Claims) => readonly Matcher[] {
  if (!Array.isArray(list)) throw invalid(`Expected \`${name}\` to be a list, got ${describe(list)}.`);
  if (list.length > MAX_MATCHERS) {
    throw invalid(`Expected \`${name}\` to have at most ${MAX_MATCHERS} entries, got ${list.length}.`);
  }
  const fixed: Matcher[] = [];
  const templates: Template[] = [];
  for (const [i, entry] of list.entries()) {
    const parsed = parseMatcher(entry, `${name}[${i}]`, text);
    if (typeof parsed === 'object' && 'fill' in parsed) templates.push(parsed);
    else fixed.push(parsed);
  }
  // Refuses a wrong topic or pattern now, not at the first connection.
  createMatcherSet(fixed);
  if (templates.length === 0) return () => fixed;
  return (claims) => {
    const filled = templates.flatMap((template) => template.fill(claims));
    return [...fixed, ...filled.slice(0, MAX_MATCHERS)];
  };
}

function parseMatcher(entry: unknown, name: string, text: TextMeans): Matcher | Template {
  if (typeof entry === 'string') {
    if (text === 'template') return parseTemplate(entry);
    if (!SPECIAL.test(entry)) return entry;
    const as = JSON.stringify(entry);
    throw invalid(
      `The topic ${as} of \`${name}\` looks like a pattern or a template. Write {"pattern": ${as}} or {"template": ${as}}.`,
    );
  }
  const fields = typeof entry === 'object' && entry !== null ? Object.entries(entry) : [];
  const [[kind, value] = []] = fields;
  if (fields.length === 1 && typeof value === 'string') {
    if (kind === 'pattern') return { pattern: value };
    if (kind === 'template') return parseTemplate(value);
  }
  throw invalid(`Expected \`${name}\` to be text, {"pattern": …} or {"template": …}.`);
}

function invalid(message: string): Error {
  return createError('topic/invalid', message);
}
