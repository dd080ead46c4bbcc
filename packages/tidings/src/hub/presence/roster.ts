/** Someone who is present: all connections with the same `id` are one member. */
export interface Member {
  readonly id: string;
  /** The app's data about the member, as JSON; of several connections, the newest one's. */
  readonly data?: unknown;
}

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

interface Listed {
  readonly id: string;
  data: unknown;
  connections: number;
}

/**
 * The members of one topic, and when to announce a change. It has no clock, timer or log: every call brings the current
 * time, in milliseconds that never go back, and `dueAt` says when to call `settle` next.
 */
export class Roster {
  readonly #rule: RosterRule;
  readonly #members = new Map<string, Listed>();
  /** When the members without a connection leave. All have the same grace time, so the first to leave comes first. */
  readonly #leaving = new Map<string, number>();
  #announceAt = Infinity;
  #announcedAt = -Infinity;

  constructor(rule: RosterRule) {
    this.#rule = rule;
  }

  get presence(): Presence {
    const members: Member[] = [];
    for (const { id, data } of this.#members.values()) {
      if (members.length >= this.#rule.members) break;
      members.push(data === undefined ? { id } : { id, data });
    }
    return { count: this.#members.size, members };
  }

  /** Whether nobody is there and nothing is left to announce. */
  get isOver(): boolean {
    return this.#members.size === 0 && this.#announceAt === Infinity;
  }

  /** When `settle` has something to do next; Infinity if there is nothing to wait for. */
  get dueAt(): number {
    for (const leavesAt of this.#leaving.values()) return Math.min(leavesAt, this.#announceAt);
    return this.#announceAt;
  }

  /** A connection of this member came. */
  join({ id, data }: Member, now: number): void {
    const member = this.#members.get(id);
    if (member === undefined) {
      this.#members.set(id, { id, data, connections: 1 });
      this.#change(now);
      return;
    }
    member.connections += 1;
    this.#leaving.delete(id);
    if (data === undefined) return;
    if (JSON.stringify(data) !== JSON.stringify(member.data)) this.#change(now);
    member.data = data;
  }

  /** A connection of this member went. Unless another comes within the grace time, the member leaves. */
  leave(id: string, now: number): void {
    const member = this.#members.get(id);
    if (member === undefined || member.connections === 0) return;
    member.connections -= 1;
    if (member.connections === 0) this.#leaving.set(id, now + this.#rule.grace);
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
    for (const [id, leavesAt] of this.#leaving) {
      if (leavesAt > now) break;
      this.#leaving.delete(id);
      this.#members.delete(id);
      this.#change(now);
    }
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
