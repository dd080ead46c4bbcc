import type { NewEvent } from '../../protocol/event.ts';
import { type Matcher, PRESENCE_PREFIX } from '../../protocol/matcher.ts';
import type { Clock } from '../clock.ts';
import type { EventLog } from '../../log/event-log.ts';
import { type MatcherSet, createMatcherSet } from '../../protocol/matcher-set.ts';
import { type Checks, aNumber, anObjectWith, aString, either } from '../../protocol/options.ts';

/** Durations in milliseconds. */
export interface PresenceRule {
  /** The topics whose subscribers are counted. */
  readonly match: Matcher;
  /** Who comes back within this time has not left: a reload moves nothing. Default 5,000. */
  readonly grace?: number;
  /** Changes are told at most this often. Default 250. */
  readonly interval?: number;
  /** How many members are listed; the count is exact all the same. Default 0: nobody learns who is there. */
  readonly members?: number;
}

/** Someone who is there: all connections of one `id` are one member. */
export interface Member {
  readonly id: string;
  /** What the app says of it, as JSON; of several connections, the newest's. */
  readonly data?: unknown;
}

/** Data of the events of type `presence` on the topic `presence/…`, together with `topic`, which is what follows there. */
export interface Presence {
  readonly count: number;
  /** Who came first stands first; as many as the rule allows. */
  readonly members: readonly Member[];
}

interface Presentee {
  readonly id: string;
  data: unknown;
  connections: number;
  /** The clock's monotonic time at which it counts as gone; undefined while it has a connection. */
  leavesAt: number | undefined;
}

interface Place {
  readonly rule: Required<PresenceRule>;
  readonly members: Map<string, Presentee>;
  /** Whether readers have been told less than there is to tell. */
  changed: boolean;
  toldAt: number;
  timer: { readonly at: number; readonly cancel: () => void } | undefined;
}

const duration = aNumber({ min: 0, finite: true });
export const PRESENCE_RULE: Checks<PresenceRule> = {
  match: either(aString, anObjectWith('an object with `pattern`', 'pattern')),
  grace: duration,
  interval: duration,
  members: aNumber({ min: 0 }),
};

const DEFAULTS = { grace: 5000, interval: 250, members: 0 };

/**
 * Counts who is subscribed to topics, and tells it on the log as a state, on `presence/` and the topic. So readers
 * get it as they get every state: at once, then changes.
 */
export class PresenceTracker {
  readonly #rules: readonly { readonly rule: Required<PresenceRule>; readonly matchers: MatcherSet }[];
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #report: (error: unknown) => void;
  readonly #places = new Map<string, Place>();

  constructor(rules: readonly PresenceRule[], log: EventLog, clock: Clock, report: (error: unknown) => void) {
    this.#rules = rules.map((rule) => ({ rule: complete(rule), matchers: createMatcherSet([rule.match]) }));
    this.#log = log;
    this.#clock = clock;
    this.#report = report;
    if (rules.length > 0) this.#takeOver().catch(report);
  }

  /** A connection of this member subscribed to these topics. */
  join(topics: Iterable<string>, { id, data }: Member): void {
    for (const topic of topics) {
      const place = this.#placeOf(topic);
      if (place === undefined) continue;
      const present = place.members.get(id);
      if (present === undefined) {
        place.members.set(id, { id, data, connections: 1, leavesAt: undefined });
        place.changed = true;
      } else {
        present.connections += 1;
        present.leavesAt = undefined;
        if (data !== undefined) {
          place.changed ||= JSON.stringify(data) !== JSON.stringify(present.data);
          present.data = data;
        }
      }
      this.#armToTell(topic, place);
    }
  }

  /** A connection of this member is over, or gave these topics up. */
  leave(topics: Iterable<string>, id: string): void {
    for (const topic of topics) {
      const place = this.#places.get(topic);
      const present = place?.members.get(id);
      if (place === undefined || present === undefined) continue;
      present.connections -= 1;
      if (present.connections > 0) continue;
      present.leavesAt = this.#clock.monotonic() + place.rule.grace;
      this.#arm(topic, place, present.leavesAt);
    }
  }

  of(topic: string): Presence {
    const place = this.#places.get(topic);
    return place === undefined ? { count: 0, members: [] } : toPresence(place);
  }

  stop(): void {
    for (const { timer } of this.#places.values()) timer?.cancel();
  }

  /**
   * What the log says of earlier members is of an earlier process. They have the grace time to come back, as after
   * any drop; then the state is told as it is.
   */
  async #takeOver(): Promise<void> {
    const matchers = createMatcherSet([{ pattern: `${PRESENCE_PREFIX}*` }]);
    const limit = { events: Infinity, length: Infinity };
    const { entries } = await this.#log.read({
      after: 0,
      wants: () => true,
      matchers,
      limit,
      snapshot: true,
    });
    for (const { topics } of entries) {
      const topic = topics[0].slice(PRESENCE_PREFIX.length);
      const place = this.#placeOf(topic);
      if (place === undefined) {
        await this.#log.append([toEvent(topic, { count: 0, members: [] })]);
        continue;
      }
      place.changed = true;
      place.toldAt = this.#clock.monotonic() + place.rule.grace - place.rule.interval;
      place.timer?.cancel();
      place.timer = undefined;
      this.#armToTell(topic, place);
    }
  }

  #placeOf(topic: string): Place | undefined {
    const known = this.#places.get(topic);
    if (known !== undefined) return known;
    const rule = this.#rules.find(({ matchers }) => matchers.matchesTopic(topic))?.rule;
    if (rule === undefined) return undefined;
    const place: Place = { rule, members: new Map(), changed: false, toldAt: -Infinity, timer: undefined };
    this.#places.set(topic, place);
    return place;
  }

  /** The first change waits too, so that a crowd that comes at once is told of at once. */
  #armToTell(topic: string, place: Place): void {
    if (place.changed)
      this.#arm(topic, place, Math.max(place.toldAt, this.#clock.monotonic()) + place.rule.interval);
  }

  /** One timer for all that waits at a place: a change to tell, the next member to leave. */
  #arm(topic: string, place: Place, at: number): void {
    if (place.timer !== undefined && place.timer.at <= at) return;
    place.timer?.cancel();
    const cancel = this.#clock.setTimer(() => this.#fire(topic, place), at - this.#clock.monotonic());
    place.timer = { at, cancel };
  }

  #fire(topic: string, place: Place): void {
    const now = this.#clock.monotonic();
    place.timer = undefined;
    let nextLeave = Infinity;
    for (const [id, { leavesAt = Infinity }] of place.members) {
      if (leavesAt > now) {
        nextLeave = Math.min(nextLeave, leavesAt);
        continue;
      }
      place.members.delete(id);
      place.changed = true;
    }
    if (place.changed && now >= place.toldAt + place.rule.interval) {
      place.changed = false;
      place.toldAt = now;
      this.#log.append([toEvent(topic, toPresence(place))]).catch(this.#report);
      if (place.members.size === 0) this.#places.delete(topic);
    }
    this.#armToTell(topic, place);
    if (nextLeave !== Infinity) this.#arm(topic, place, nextLeave);
  }
}

function complete(rule: PresenceRule): Required<PresenceRule> {
  return { ...DEFAULTS, ...rule };
}

function toPresence({ rule, members }: Place): Presence {
  const listed: Member[] = [];
  for (const { id, data } of members.values()) {
    if (listed.length >= rule.members) break;
    listed.push(data === undefined ? { id } : { id, data });
  }
  return { count: members.size, members: listed };
}

function toEvent(topic: string, presence: Presence): NewEvent {
  const data = JSON.stringify({ topic, ...presence });
  // Nobody has to be told later that a place is empty.
  const tombstone = presence.count === 0;
  const topics: [string] = [PRESENCE_PREFIX + topic];
  return { topics, type: 'presence', data, id: undefined, key: 'now', tombstone, private: false };
}
