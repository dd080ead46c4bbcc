import { type Matcher, escapePattern } from 'tidings';
import { createMatcherSet } from 'tidings/log';
import { createError } from 'tidings/transport';

/** The claims of a token whose signature was checked. */
export type Claims = Readonly<Record<string, unknown>>;

/**
 * A pattern with claims in it: `user/{sub}/*`. A claim's value stands for itself: it is escaped, and it fills part of one
 * segment, so no value can make the pattern match more than its author meant.
 */
export interface Template {
  /**
   * One matcher; several if a claim is a list, none if a claim is missing or has a value that can't fill the gap (no text
   * or whole number, empty, with a `/` or control characters).
   */
  fill(claims: Claims): readonly Matcher[];
}

/** Text as it stands in the pattern, or a claim to put in. */
type Part = string | { readonly claim: string };

/** More than this are not made from one template. */
const MAX_MATCHERS = 100;
/** That of a topic or a pattern. */
const MAX_LENGTH = 1024;
const TOKENS = /\\[^]|\{([^{}]*)\}|[^]/gu;
const SPECIAL = /[\\*:]/;
// oxlint-disable-next-line no-control-regex
const UNUSABLE = /[\u0000-\u001f\u007f/]|\p{Surrogate}/u;

/** @throws {TidingsError} `topic/*`. */
export function parseTemplate(text: string): Template {
  const parts = partsOf(text);
  // A pattern without anything special is a topic, which costs less to match.
  const isTopic = parts.every((part) => typeof part !== 'string' || !SPECIAL.test(part));
  const sample = parts.map((part) => (typeof part === 'string' ? part : 'x')).join('');
  // Whether a pattern is one doesn't depend on the values: they are escaped.
  createMatcherSet([isTopic ? sample : { pattern: sample }]);
  return {
    fill(claims) {
      const values = parts.map((part) => (typeof part === 'string' ? [part] : valuesOf(claims, part.claim)));
      if (values.some(({ length }) => length === 0)) return [];
      let texts: readonly string[] = [''];
      for (const [i, each] of values.entries()) {
        const isPlain = isTopic || typeof parts[i] === 'string';
        texts = combine(texts, isPlain ? each : each.map(escapePattern));
      }
      return isTopic ? texts : texts.map((pattern) => ({ pattern }));
    },
  };
}

/** Stops at its limits: lists multiply. */
function combine(texts: readonly string[], values: readonly string[]): readonly string[] {
  const all: string[] = [];
  for (const text of texts) {
    for (const value of values) {
      if (all.length === MAX_MATCHERS) return all;
      if (text.length + value.length <= MAX_LENGTH) all.push(text + value);
    }
  }
  return all;
}

function partsOf(text: string): readonly Part[] {
  const parts: Part[] = [];
  let plain = '';
  for (const [token, claim] of text.matchAll(TOKENS)) {
    if (claim === undefined) {
      if (token === '{' || token === '}') {
        throw invalid(text, `Expected a claim's name between braces, or "\\${token}" for a brace.`);
      }
      plain += token;
      continue;
    }
    if (claim === '') throw invalid(text, 'Expected a claim’s name between the braces.');
    if (plain !== '') parts.push(plain);
    plain = '';
    parts.push({ claim });
  }
  if (plain !== '') parts.push(plain);
  assertSegments(text, parts);
  return parts;
}

/** A value after `:name`, or after a colon, would become part of a name, which matches any text. */
function assertSegments(text: string, parts: readonly Part[]): void {
  const segments = parts
    .map((part) => (typeof part === 'string' ? part : '\u0000'))
    .join('')
    .split('/');
  if (segments.some((segment) => segment.includes('\u0000') && /^:|[^\\]:/.test(segment))) {
    throw invalid(text, 'Expected a segment to have a claim or a ":", got one with both.');
  }
}

function valuesOf(claims: Claims, name: string): readonly string[] {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values
    .filter((each) => typeof each === 'string' || Number.isSafeInteger(each))
    .map(String)
    .filter((each) => each !== '' && !UNUSABLE.test(each))
    .slice(0, MAX_MATCHERS);
}

function invalid(template: string, message: string): Error {
  return createError('topic/invalid-pattern', message, { details: { template } });
}
