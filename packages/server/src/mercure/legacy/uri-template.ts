import { type PatternSyntax, createError, createPatternSyntax } from 'tidings/transport';
import type { TopicNames } from '../topic-names.ts';
import {
  Automaton,
  type CharacterSet,
  type Fragment,
  TooComplex,
  oneOf,
  repeat,
  sequence,
  setOf,
  text,
} from '../url-pattern/automaton.ts';

/** https://www.rfc-editor.org/rfc/rfc3986#section-2 */
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const UNRESERVED = `${LETTERS}-._~%`;
const RESERVED = ":/?#[]@!$&'()*+,;=";

/** The forms that an expression with an operator may take: https://www.rfc-editor.org/rfc/rfc6570#section-3.2 */
interface Operator {
  readonly first: string;
  /** The characters of its values, besides the unreserved ones. */
  readonly also: string;
}

const OPERATORS: Readonly<Record<string, Operator>> = {
  '': { first: '', also: ',' },
  '+': { first: '', also: RESERVED },
  '#': { first: '#', also: RESERVED },
  '.': { first: '.', also: ',.' },
  '/': { first: '/', also: ',/' },
  ';': { first: ';', also: ',;=' },
  '?': { first: '?', also: ',&=' },
  '&': { first: '&', also: ',&=' },
};
const EXPRESSION =
  /\{([+#./;?&]?)((?:[A-Za-z0-9_.]|%[0-9A-Fa-f]{2})+(?::\d{1,4}|\*)?(?:,(?:[A-Za-z0-9_.]|%[0-9A-Fa-f]{2})+(?::\d{1,4}|\*)?)*)\}/y;
/** The most expressions of a template. */
const MAX_EXPRESSIONS = 16;

/**
 * URI templates as matchers, as Mercure 0.x has them: a template matches what its variables could make of it. A topic is
 * compared as it is.
 */
export function createUriTemplates(names: Pick<TopicNames, 'inProtocol'>): PatternSyntax {
  return createPatternSyntax({
    name: 'uritemplate',
    subjectOf(topic) {
      const name = names.inProtocol(topic);
      return name === undefined ? undefined : { text: name };
    },
    compile(template) {
      const { beginning, rest } = parse(template);
      const automaton = build(rest, template);
      return {
        beginning,
        matches: (topic) =>
          topic.text.startsWith(beginning) && automaton.matches(topic.text, beginning.length),
        looks: 8,
      };
    },
  });
}

/** Whether a text has expressions. One without is only a topic. */
export function isTemplate(selector: string): boolean {
  return selector.includes('{');
}

function parse(template: string): { readonly beginning: string; readonly rest: Fragment } {
  const end = template.indexOf('{');
  const beginning = end === -1 ? template : template.slice(0, end);
  const fragments: Fragment[] = [];
  let expressions = 0;
  for (let at = beginning.length; at < template.length;) {
    if (template[at] !== '{') {
      const next = template.indexOf('{', at);
      const literal = template.slice(at, next === -1 ? template.length : next);
      fragments.push(text(literal));
      at += literal.length;
      continue;
    }
    EXPRESSION.lastIndex = at;
    const found = EXPRESSION.exec(template);
    expressions += 1;
    if (found === null || expressions > MAX_EXPRESSIONS) throw invalid(template);
    fragments.push(expression(OPERATORS[found[1] ?? ''] as Operator));
    at = EXPRESSION.lastIndex;
  }
  return { beginning, rest: sequence(...fragments) };
}

/** Nothing, or the operator's first character and values. */
function expression({ first, also }: Operator): Fragment {
  const values = repeat(oneOf(charactersOf(also)), 0, Infinity);
  return first === '' ? values : repeat(sequence(text(first), values), 0, 1);
}

function charactersOf(also: string): CharacterSet {
  return setOf(UNRESERVED + also);
}

function build(rest: Fragment, template: string): Automaton {
  try {
    return new Automaton(rest);
  } catch (cause) {
    if (!(cause instanceof TooComplex)) throw cause;
    throw invalid(template, cause);
  }
}

function invalid(template: string, cause?: unknown): Error {
  return createError('topic/invalid-pattern', 'This is no URI template, or one that is too long.', {
    details: { pattern: template },
    cause,
  });
}
