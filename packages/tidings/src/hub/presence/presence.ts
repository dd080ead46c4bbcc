import type { NewEvent } from '../../protocol/event.ts';
import { PRESENCE_PREFIX } from '../../protocol/matcher.ts';
import type { Clock } from '../clock.ts';
import { TimersInTurns } from '../timers-in-turns.ts';
import type { EventLog } from '../../log/event-log.ts';
import { createMatcherSet } from '../../protocol/matcher-set.ts';
import { type Member, type Presence, Roster } from './roster.ts';
import { type PlacesLimit, PresenceRules, encodable } from './rules.ts';

export type { Member, Presence } from './roster.ts';
export { PRESENCE_RULE, type PresenceRule } from './rules.ts';

/** How many states of an earlier process to read at once, to keep turns short while taking over. */
const TAKE_OVER_PAGE = { events: 500, length: 262_144 };

/** One topic's members, and the timer for the next announcement. */
interface Watch {
  readonly roster: Roster;
  timer: { readonly at: number; readonly cancel: () => void } | undefined;
}

/** Counts who is on topics: at this hub, or at all hubs of a cluster. */
export interface PresenceCounter {
  /** A connection of this member subscribed to these topics. */
  join(topics: Iterable<string>, member: Member): void;
  /** A connection of this member ended, or gave these topics up. */
  leave(topics: Iterable<string>, id: string): void;
  of(topic: string): Presence;
  /** How many topics have members here, or something to announce. */
  readonly topics: number;
  /** From now on nothing is announced. */
  stop(): void;
}

/**
 * Feeds the rosters with members that come and go, and announces changes on the log, as a state of the topic
 * `presence/…`. Readers therefore get presence as they get every state: a snapshot, then changes.
 */
export class PresenceTracker implements PresenceCounter {
  readonly #rules: PresenceRules;
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #timers: TimersInTurns;
  readonly #report: (error: unknown) => void;
  readonly #limit: PlacesLimit;
  readonly #watches = new Map<string, Watch>();
  #stopped = false;

  constructor(
    rules: PresenceRules,
    log: EventLog,
    clock: Clock,
    report: (error: unknown) => void,
    limit: PlacesLimit,
  ) {
    this.#rules = rules;
    this.#log = log;
    this.#clock = clock;
    this.#timers = new TimersInTurns(clock);
    this.#report = report;
    this.#limit = limit;
    if (!rules.isEmpty) this.#takeOver().catch(report);
  }

  /** A connection of this member subscribed to these topics. */
  join(topics: Iterable<string>, member: Member): void {
    let checked: Member | undefined;
    for (const topic of topics) {
      const watch = this.#watch(topic);
      if (watch === undefined) continue;
      watch.roster.join((checked ??= encodable(member, this.#report)), this.#clock.monotonic());
      this.#arm(topic, watch);
    }
  }

  /** A connection of this member ended, or gave these topics up. */
  leave(topics: Iterable<string>, id: string): void {
    for (const topic of topics) {
      const watch = this.#watches.get(topic);
      if (watch === undefined) continue;
      watch.roster.leave(id, this.#clock.monotonic());
      this.#arm(topic, watch);
    }
  }

  of(topic: string): Presence {
    return this.#watches.get(topic)?.roster.presence ?? { count: 0, members: [] };
  }

  /** How many topics have members, or something to announce. */
  get topics(): number {
    return this.#watches.size;
  }

  /** From now on nothing is announced. */
  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#watches.values()) timer?.cancel();
  }

  /**
   * The states on the log are an earlier process's. Its members have the grace time to come back, as after any drop;
   * then the rosters announce who is there.
   */
  async #takeOver(): Promise<void> {
    const matchers = createMatcherSet([{ pattern: `${PRESENCE_PREFIX}*` }]);
    const until = this.#log.tail.head;
    let after = 0;
    while (after < until && !this.#stopped) {
      const query = { after, wants: () => true, matchers, limit: TAKE_OVER_PAGE, snapshot: true };
      const { entries, next } = await this.#log.read(query);
      const stale: NewEvent[] = [];
      for (const entry of entries) {
        const topic = entry.topics[0].slice(PRESENCE_PREFIX.length);
        const watch = this.#watch(topic);
        if (watch === undefined) stale.push(toEvent(topic, { count: 0, members: [] }));
        else this.#takeOverTopic(topic, watch);
      }
      if (stale.length > 0) await this.#log.append(stale);
      after = next;
    }
  }

  #takeOverTopic(topic: string, watch: Watch): void {
    watch.roster.takeOver(this.#clock.monotonic());
    watch.timer?.cancel();
    watch.timer = undefined;
    this.#arm(topic, watch);
  }

  #watch(topic: string): Watch | undefined {
    const known = this.#watches.get(topic);
    if (known !== undefined) return known;
    const rule = this.#rules.of(topic);
    if (rule === undefined || !this.#limit.hasRoom(this.#watches.size)) return undefined;
    const watch: Watch = { roster: new Roster(rule), timer: undefined };
    this.#watches.set(topic, watch);
    return watch;
  }

  /** Makes sure that the timer goes off in time. One that goes off too early does no harm. */
  #arm(topic: string, watch: Watch): void {
    const at = watch.roster.dueAt;
    if (this.#stopped || at === Infinity || (watch.timer !== undefined && watch.timer.at <= at)) return;
    watch.timer?.cancel();
    const cancel = this.#timers.set(() => this.#settle(topic, watch), at - this.#clock.monotonic());
    watch.timer = { at, cancel };
  }

  #settle(topic: string, watch: Watch): void {
    watch.timer = undefined;
    const presence = watch.roster.settle(this.#clock.monotonic());
    if (presence !== undefined) this.#log.append([toEvent(topic, presence)]).catch(this.#report);
    if (watch.roster.isOver) this.#watches.delete(topic);
    this.#arm(topic, watch);
  }
}

/** The announcement of a topic's presence. */
export function toEvent(topic: string, presence: Presence): NewEvent {
  const data = JSON.stringify({ topic, ...presence });
  // Later subscribers need no event for an empty topic.
  const tombstone = presence.count === 0;
  const topics: [string] = [PRESENCE_PREFIX + topic];
  return { topics, type: 'presence', data, id: undefined, key: 'now', tombstone, private: false };
}
