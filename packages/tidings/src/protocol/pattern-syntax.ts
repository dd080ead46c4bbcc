import { createError } from './errors.ts';
import type { CompiledPattern } from './matcher-set.ts';
import { HIDDEN_PREFIX, RUNS_PREFIX } from './matcher.ts';
import { isTag } from './tags.ts';
import { assertPatternLength } from './pattern.ts';
import { shareCompiled } from './shared-patterns.ts';

/** A topic as the patterns of a syntax compare it. */
export interface PatternSubject {
  /** The text that `PatternParts.beginning` is the beginning of. */
  readonly text: string;
}

/** A pattern, as its syntax compiled it. */
export interface PatternParts<Subject extends PatternSubject> {
  readonly matches: (subject: Subject) => boolean;
  /** How the subject of every matching topic begins: the hub finds patterns by it. Empty if that isn't known. */
  readonly beginning: string;
  /**
   * The cost of a comparison, in comparisons of the hub's own patterns, each about 0.2 µs: a reader that is behind looks
   * at so many fewer events in a turn. Default 1.
   */
  readonly looks?: number;
}

/** Another syntax of patterns than the hub's own. */
export interface PatternSyntaxOptions<Subject extends PatternSubject> {
  /** Tells syntaxes apart: a-z, 0-9 and "-". */
  readonly name: string;
  /** A topic as patterns see it, which the hub remembers for a while; undefined if no pattern matches it. */
  readonly subjectOf: (topic: string) => Subject | undefined;
  /** Called once for all connections that have the pattern. An error fails the request. */
  readonly compile: (text: string) => PatternParts<Subject>;
}

/**
 * A pattern in another syntax. It is a `Matcher`, so `authorize` may grant it and a connection may ask for it.
 * It never matches the hub's own topics.
 */
export interface ForeignPattern extends CompiledPattern {
  /** The syntax's name and the text, which tells it apart from all other patterns. */
  readonly pattern: string;
  readonly text: string;
  readonly index: PatternIndex;
  readonly looks: number;
}

/** How the hub finds a syntax's patterns. */
export interface PatternIndex {
  readonly name: string;
  /** A topic's text for the index; undefined if no pattern matches it. */
  readonly textOf: (topic: string) => string | undefined;
}

export interface PatternSyntax {
  readonly name: string;
  /**
   * A pattern to ask for, or to grant.
   *
   * @throws what `compile` throws; {TidingsError} `topic/invalid-pattern` for an empty or too long one. `maxLength` in
   * UTF-16 units.
   */
  pattern(text: string, maxLength?: number): ForeignPattern;
}

/** Half of the subjects that are remembered. */
const HALF = 5000;
const NAME = /^[a-z][a-z0-9-]*$/;

/**
 * Makes a syntax for a transport, whose patterns the hub then treats as its own: equal ones are compiled once, found by
 * their beginning, and compared with a topic once.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function createPatternSyntax<Subject extends PatternSubject>(
  options: PatternSyntaxOptions<Subject>,
): PatternSyntax {
  const { name, compile } = options;
  if (!NAME.test(name)) {
    const message = `Expected \`name\` of a syntax to be of a-z, 0-9 and "-", got ${JSON.stringify(name)}.`;
    throw createError('hub/invalid-option', message, { details: { option: 'name' } });
  }
  const mark = markOf(name);
  const subjectOf = remember((topic) => (isHubs(topic) ? undefined : options.subjectOf(topic)));
  const index: PatternIndex = { name, textOf: (topic) => subjectOf(topic)?.text };

  function compileText(text: string): Foreign {
    const { matches, beginning, looks = 1 } = compile(text);
    return new Foreign(mark + text, text, index, beginning, looks, (topic) => {
      const subject = subjectOf(topic);
      return subject !== undefined && matches(subject);
    });
  }

  return {
    name,
    pattern(text, maxLength) {
      assertPatternLength(text, maxLength);
      // None of the hub's own patterns begins like this, since they have no groups.
      return shareCompiled(mark + text, () => compileText(text));
    },
  };
}

const made = new Map<string, number>();

/** How its patterns begin. Another syntax of this name, such as that of another hub, may compare topics otherwise. */
function markOf(name: string): string {
  const before = made.get(name) ?? 0;
  made.set(name, before + 1);
  return before === 0 ? `(${name})` : `(${name} ${before + 1})`;
}

/** Hidden topics, tags, and runs: only patterns that name those read them. */
function isHubs(topic: string): boolean {
  return topic.startsWith(HIDDEN_PREFIX) || isTag(topic) || topic.startsWith(RUNS_PREFIX);
}

/** Remembers the answers for the topics asked for lately, in two halves: when the young one is full, the old one goes. */
function remember<Subject>(
  subjectOf: (topic: string) => Subject | undefined,
): (topic: string) => Subject | undefined {
  let young = new Map<string, Subject | undefined>();
  let old = new Map<string, Subject | undefined>();
  return (topic) => {
    const known = young.get(topic);
    if (known !== undefined || young.has(topic)) return known;
    const subject = old.has(topic) ? old.get(topic) : subjectOf(topic);
    if (young.size >= HALF) {
      old = young;
      young = new Map();
    }
    young.set(topic, subject);
    return subject;
  };
}

class Foreign implements ForeignPattern {
  readonly pattern: string;
  readonly text: string;
  readonly index: PatternIndex;
  readonly beginning: string;
  readonly looks: number;
  /** How many sets of matchers share it. */
  owners = 0;
  readonly matches: (topic: string) => boolean;

  constructor(
    pattern: string,
    text: string,
    index: PatternIndex,
    beginning: string,
    looks: number,
    matches: (topic: string) => boolean,
  ) {
    this.pattern = pattern;
    this.text = text;
    this.index = index;
    this.beginning = beginning;
    this.looks = looks;
    this.matches = matches;
  }

  /** For those who look at a connection's topics. */
  toJSON(): { pattern: string; syntax: string } {
    return { pattern: this.text, syntax: this.index.name };
  }
}

/** Whether a matcher is a pattern in another syntax. */
export function isForeign(matcher: object): matcher is ForeignPattern {
  return 'index' in matcher && 'matches' in matcher && typeof matcher.matches === 'function';
}
