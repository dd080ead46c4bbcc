import type { Matcher, PresenceRule, Retention } from 'tidings';
import type { TopicRule } from 'tidings/log';
import {
  type Check,
  type Checks,
  aBoolean,
  aString,
  assertOptions,
  createError,
  listOf,
  options,
} from 'tidings/transport';
import { duration, integer, size, structure } from '../config/kinds.ts';
import type { Kind } from '../config/setting.ts';

/*
 * Rules for topics as a configuration has them: `topic` or `pattern` says which, and durations and sizes have units.
 */

interface Where {
  readonly topic?: string;
  readonly pattern?: string;
}

interface RetentionText {
  readonly events?: number;
  readonly bytes?: string;
  readonly age?: string;
}

interface TopicRuleText extends Where {
  readonly state?: boolean;
  readonly interval?: string;
  readonly keys?: number;
  readonly retention?: RetentionText;
}

interface PresenceRuleText extends Where {
  readonly grace?: string;
  readonly interval?: string;
  readonly members?: number;
}

const wait = duration(0);
const age = duration(1000);
const bytes = size(0);
const count = integer(1);
const members = integer(0);

const WHERE: Checks<Where> = { topic: aString, pattern: aString };

const TOPIC_RULE: Checks<TopicRuleText> = {
  ...WHERE,
  state: aBoolean,
  interval: valueOf(wait),
  keys: valueOf(count),
  retention: options<RetentionText>({ events: valueOf(count), bytes: valueOf(bytes), age: valueOf(age) }),
};

const PRESENCE_RULE: Checks<PresenceRuleText> = {
  ...WHERE,
  grace: valueOf(wait),
  interval: valueOf(wait),
  members: valueOf(members),
};

/** The setting `topics`. */
export const topicRules: Kind<readonly TopicRule[]> = structure(
  'a list of rules, such as {"pattern": "prices/*", "state": true}',
  (value) => checked<TopicRuleText>('topics', value, TOPIC_RULE).map(toTopicRule),
  (rules) => rules.map(fromTopicRule),
);

/** The setting `presence`. */
export const presenceRules: Kind<readonly PresenceRule[]> = structure(
  'a list of rules, such as {"pattern": "room/:id", "members": 50}',
  (value) => checked<PresenceRuleText>('presence', value, PRESENCE_RULE).map(toPresenceRule),
  (rules) => rules.map(fromPresenceRule),
);

function valueOf<T>(kind: Kind<T>): Check {
  return { expected: kind.expected, accepts: (value) => kind.fromFile(value) !== undefined };
}

function checked<Rule extends Where>(name: string, value: unknown, checks: Checks<Rule>): readonly Rule[] {
  assertOptions({ [name]: value }, { [name]: listOf(checks) });
  const rules = value as readonly Rule[];
  for (const [i, { topic, pattern }] of rules.entries()) {
    if ((topic === undefined) !== (pattern === undefined)) continue;
    throw createError('config/invalid', `${name}[${i}] needs either \`topic\` or \`pattern\`.`);
  }
  return rules;
}

function matcherOf({ topic, pattern = '' }: Where): Matcher {
  return topic ?? { pattern };
}

function whereOf(match: Matcher): Where {
  return typeof match === 'string' ? { topic: match } : { pattern: match.pattern };
}

function toTopicRule(rule: TopicRuleText): TopicRule {
  const { state, interval, keys, retention } = rule;
  return {
    match: matcherOf(rule),
    ...(state !== undefined && { state }),
    ...given('interval', wait.fromFile(interval)),
    ...(keys !== undefined && { keys }),
    ...(retention !== undefined && { retention: toRetention(retention) }),
  };
}

function toRetention({ events, ...text }: RetentionText): Retention {
  return {
    ...(events !== undefined && { events }),
    ...given('bytes', bytes.fromFile(text.bytes)),
    ...given('age', age.fromFile(text.age)),
  };
}

function toPresenceRule(rule: PresenceRuleText): PresenceRule {
  return {
    match: matcherOf(rule),
    ...given('grace', wait.fromFile(rule.grace)),
    ...given('interval', wait.fromFile(rule.interval)),
    ...(rule.members !== undefined && { members: rule.members }),
  };
}

function fromTopicRule({ match, interval, retention, ...rest }: TopicRule): TopicRuleText {
  return {
    ...whereOf(match),
    ...rest,
    ...(interval !== undefined && { interval: wait.toText(interval) }),
    ...(retention !== undefined && { retention: fromRetention(retention) }),
  };
}

function fromRetention(retention: Retention): RetentionText {
  return {
    ...(retention.events !== undefined && { events: retention.events }),
    ...(retention.bytes !== undefined && { bytes: bytes.toText(retention.bytes) }),
    ...(retention.age !== undefined && { age: age.toText(retention.age) }),
  };
}

function fromPresenceRule({ match, grace, interval, ...rest }: PresenceRule): PresenceRuleText {
  return {
    ...whereOf(match),
    ...rest,
    ...(grace !== undefined && { grace: wait.toText(grace) }),
    ...(interval !== undefined && { interval: wait.toText(interval) }),
  };
}

function given<Name extends string>(
  name: Name,
  value: number | undefined,
): { readonly [K in Name]?: number } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [K in Name]?: number });
}
