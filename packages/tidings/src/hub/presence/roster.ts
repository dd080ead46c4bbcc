import { Attendance, type Member } from './attendance.ts';

export type { Member } from './attendance.ts';

/** Data of the events of type `presence` on the topic `presence/…`, with the topic that follows there as `topic`. */
export interface Presence {
  readonly count: number;
  /** In the order in which they came; as many as the rule allows. */
  readonly members: readonly Member[];
}

/** Durations in milliseconds. */
export interface RosterRule {
  /** How long a member without a connection still counts. */
  readonly grace: number;
  /** The least time between two announcements. */
  readonly interval: number;
  /** How many members an announcement lists. */
  readonly members: number;
}

/**
 * The members of one topic, and when to announce a change. It has no clock, timer or log: every call brings the current
 * time, in milliseconds that never go back, and `dueAt` says when to call `settle` next.
 */
export class Roster {
  readonly #rule: RosterRule;
  readonly #attendance: Attendance;
  #announceAt = Infinity;
  #announcedAt = -Infinity;

  constructor(rule: RosterRule) {
    this.#rule = rule;
    this.#attendance = new Attendance(rule.grace);
  }

  get presence(): Presence {
    const members: Member[] = [];
    for (const member of this.#attendance.members()) {
      if (members.length >= this.#rule.members) break;
      members.push(member);
    }
    return { count: this.#attendance.count, members };
  }

  /** Whether nobody is there and nothing is left to announce. */
  get isOver(): boolean {
    return this.#attendance.count === 0 && this.#announceAt === Infinity;
  }

  /** When `settle` has something to do next; Infinity if there is nothing to wait for. */
  get dueAt(): number {
    return Math.min(this.#attendance.nextLeave, this.#announceAt);
  }

  /** A connection of this member came. */
  join(member: Member, now: number): void {
    if (this.#attendance.join(member)) this.#change(now);
  }

  /** A connection of this member went. Unless another comes within the grace time, the member leaves. */
  leave(id: string, now: number): void {
    this.#attendance.leave(id, now);
  }

  /**
   * Someone else, such as an earlier process, has announced members that this roster doesn't know. They have the grace
   * time to come back; after it, the roster announces who is there.
   */
  takeOver(now: number): void {
    const { grace, interval } = this.#rule;
    this.#announceAt = now + grace;
    // No change may announce it sooner: members that haven't come back yet would be missing.
    this.#announcedAt = this.#announceAt - interval;
  }

  /** Removes members whose grace time is over. @returns the announcement to make now; undefined if none is due. */
  settle(now: number): Presence | undefined {
    if (this.#attendance.takeLeft(now).length > 0) this.#change(now);
    if (this.#announceAt > now) return undefined;
    this.#announceAt = Infinity;
    this.#announcedAt = now;
    return this.presence;
  }

  /** Even a first change waits for the interval: a crowd that comes at once gets one announcement. */
  #change(now: number): void {
    const at = Math.max(this.#announcedAt, now) + this.#rule.interval;
    this.#announceAt = Math.min(this.#announceAt, at);
  }
}
