import { createError } from '../../protocol/errors.ts';
import type { Matcher } from '../../protocol/matcher.ts';
import { type MatcherSet, createMatcherSet } from '../../protocol/matcher-set.ts';
import { type Checks, aNumber, anObjectWith, aString, either } from '../../protocol/options.ts';
import type { HubLimits } from '../limits.ts';
import type { Member } from './attendance.ts';

/** Durations in milliseconds. */
export interface PresenceRule {
  /** The topics whose subscribers are counted. */
  readonly match: Matcher;
  /** Members who come back within this time never left: a page reload announces nothing. Default 5,000. */
  readonly grace?: number;
  /** Changes are announced at most this often. Default 250. */
  readonly interval?: number;
  /** How many members are listed; the count is always exact. Default 0: a count alone. */
  readonly members?: number;
}

const duration = aNumber({ min: 0, finite: true });
export const PRESENCE_RULE: Checks<PresenceRule> = {
  match: either(aString, anObjectWith('an object with `pattern`', 'pattern')),
  grace: duration,
  interval: duration,
  members: aNumber({ min: 0 }),
};

const DEFAULTS = { grace: 5000, interval: 250, members: 0 };

interface Compiled {
  readonly matchers: MatcherSet;
  readonly rule: Required<PresenceRule>;
}

/** The rule of each topic: the first that matches. */
export class PresenceRules {
  readonly #rules: readonly Compiled[];

  /** @throws {TidingsError} `topic/*`. */
  constructor(rules: readonly PresenceRule[]) {
    this.#rules = rules.map((rule) => ({
      matchers: createMatcherSet([rule.match]),
      rule: { ...DEFAULTS, ...rule },
    }));
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** The longest grace time. */
  get grace(): number {
    return Math.max(0, ...this.#rules.map(({ rule }) => rule.grace));
  }

  of(topic: string): Required<PresenceRule> | undefined {
    return this.#rules.find(({ matchers }) => matchers.matchesTopic(topic))?.rule;
  }

  /** @throws {TidingsError} `limit/topics` if presence would count a connection on more topics than this. */
  assertPlaces(topics: Iterable<string>, most: number): void {
    if (this.isEmpty) return;
    let places = 0;
    for (const topic of topics) if (this.of(topic) !== undefined) places += 1;
    if (places <= most) return;
    throw createError('limit/topics', `A connection may be present on ${most} topics.`, {
      details: { topics: places, maxTopics: most },
    });
  }
}

/** Bounds how many topics have presence. Says once that some are not counted. */
export class PlacesLimit {
  readonly #limits: Pick<HubLimits, 'presenceTopics'>;
  readonly #report: (error: unknown) => void;
  #isTold = false;

  constructor(limits: Pick<HubLimits, 'presenceTopics'>, report: (error: unknown) => void) {
    this.#limits = limits;
    this.#report = report;
  }

  hasRoom(topics: number): boolean {
    const { presenceTopics: most } = this.#limits;
    if (topics < most) return true;
    if (!this.#isTold) {
      this.#isTold = true;
      const message = `Presence is counted on ${most} topics, and on no more: see \`limits.presenceTopics\`.`;
      this.#report(createError('limit/topics', message, { details: { maxTopics: most } }));
    }
    return false;
  }
}

/** Data that isn't JSON must fail here, not in the middle of an announcement. The member still counts. */
export function encodable(member: Member, report: (error: unknown) => void): Member {
  try {
    JSON.stringify(member.data);
    return member;
  } catch (error) {
    report(error);
    return { id: member.id };
  }
}
