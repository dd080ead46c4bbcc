import { createError } from '../src/protocol/errors.ts';
import type { TidingsError } from '../src/protocol/tidings-error.ts';
import { MAX_TOPIC_LENGTH, UNUSABLE } from '../src/protocol/matcher.ts';

/**
 * Patterns by regular expressions: a second implementation of `src/protocol/pattern.ts`, which that one is checked
 * against. It is quick to see that it is right, but an expression and a closure for each pattern take much memory.
 */

const MAX_WILDCARDS = 2;
const NAME = /^:[A-Za-z_$][\w$]*$/;
/** The beginning of an absolute URL: its `:` begins no name. */
const SCHEME = /^([A-Za-z][\w.-]*):\/\//;
const REFUSED = '(){}+?';
/** Stands for "*" between compiling segments and putting them together; no pattern contains it. */
const WILDCARD = '\0';

/** @throws {TidingsError} `topic/invalid-pattern` (status 400). */
export function compileByRegExp(
  pattern: string,
  maxLength: number = MAX_TOPIC_LENGTH,
): (topic: string) => boolean {
  if (typeof pattern !== 'string' || pattern === '' || pattern.length > maxLength) {
    throw invalid(`A pattern is a string of 1 to ${maxLength} characters.`, pattern);
  }
  if (UNUSABLE.test(pattern)) {
    throw invalid('A pattern has no control characters (CR, LF, NUL…) or lone surrogates.', pattern);
  }
  const segments = splitSegments(pattern);
  const names = segments.filter((segment) => NAME.test(segment));
  if (new Set(names).size < names.length) throw invalid('A name may stand in a pattern once.', pattern);
  const source = segments.map((segment) => (NAME.test(segment) ? '[^/]+' : compileSegment(segment, pattern)));
  const parts = source.join('/').split(WILDCARD);
  if (parts.length - 1 > MAX_WILDCARDS) {
    throw invalid(`A pattern may contain "*" at most ${MAX_WILDCARDS} times.`, pattern);
  }
  return toPredicate(parts);
}

/**
 * `parts` are the expressions between the `*`. With two of them in one expression, each position of the first would be
 * tried with each of the second. But the earliest match of the middle part leaves the most for the last part, so if
 * that one fails, all do.
 */
function toPredicate(parts: readonly string[]): (topic: string) => boolean {
  if (parts.length <= MAX_WILDCARDS) {
    const whole = toExpression(`${parts.join('.*')}$`);
    return (topic) => whole.test(topic);
  }
  const beginning = toExpression(`${parts[0]}.*?${parts[1]}`);
  const last = toExpression(`.*${parts[2]}$`);
  return (topic) => {
    const found = beginning.exec(topic);
    return found !== null && last.test(topic.slice(found[0].length));
  };
}

function toExpression(source: string): RegExp {
  // `s`: a topic has no line ends, but a dot that means "any character" should not depend on that.
  return new RegExp(`^${source}`, 'su');
}

/** Splits at `/`, but not at `\/`, and keeps the `:` of an absolute URL's scheme out of the way of names. */
function splitSegments(pattern: string): string[] {
  return pattern.replace(SCHEME, '$1\\://').split(/(?<=(?:^|[^\\])(?:\\\\)*)\//);
}

function compileSegment(segment: string, pattern: string): string {
  let source = '';
  const characters = [...segment];
  for (let i = 0; i < characters.length; i += 1) {
    const character = characters[i] ?? '';
    if (character === '\\') {
      i += 1;
      const literal = characters[i];
      if (literal === undefined) throw invalid('A pattern may not end in "\\".', pattern);
      source += escapeForRegExp(literal);
    } else if (character === '*') {
      if (source.endsWith(WILDCARD))
        throw invalid('"**" is a modifier of URL Patterns; write one "*".', pattern);
      source += WILDCARD;
    } else if (character === ':') {
      throw invalid('":name" fills a whole segment; write "\\:" for a colon.', pattern);
    } else if (REFUSED.includes(character)) {
      throw invalid(
        `Write "\\${character}" for a "${character}": groups and modifiers are not supported.`,
        pattern,
      );
    } else {
      source += escapeForRegExp(character);
    }
  }
  return source;
}

function escapeForRegExp(character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}

function invalid(message: string, pattern: unknown): TidingsError {
  return createError('topic/invalid-pattern', message, { details: { pattern } });
}
