/** Someone who is present: all connections with the same `id` are one member. */
export interface Member {
  readonly id: string;
  /** The app's data about the member, as JSON; of several connections, the newest one's. */
  readonly data?: unknown;
}

interface Attendee {
  readonly id: string;
  data: unknown;
  connections: number;
}

/**
 * The members of one topic here, with the grace time of those without a connection. It has no clock: every call brings the
 * time, in milliseconds that never go back.
 */
export class Attendance {
  readonly #grace: number;
  readonly #members = new Map<string, Attendee>();
  /** When the members without a connection leave. All have the same grace time, so the first to leave comes first. */
  readonly #leaving = new Map<string, number>();

  /** Milliseconds. */
  constructor(grace: number) {
    this.#grace = grace;
  }

  get count(): number {
    return this.#members.size;
  }

  /** When the next member leaves; Infinity if none does. */
  get nextLeave(): number {
    for (const leavesAt of this.#leaving.values()) return leavesAt;
    return Infinity;
  }

  /** In the order in which they came. */
  *members(): Generator<Member> {
    for (const { id, data } of this.#members.values()) yield data === undefined ? { id } : { id, data };
  }

  /** A connection of this member came. @returns whether others see a difference. */
  join({ id, data }: Member): boolean {
    const member = this.#members.get(id);
    if (member === undefined) {
      this.#members.set(id, { id, data, connections: 1 });
      return true;
    }
    member.connections += 1;
    this.#leaving.delete(id);
    if (data === undefined) return false;
    const isNew = JSON.stringify(data) !== JSON.stringify(member.data);
    member.data = data;
    return isNew;
  }

  /** A connection of this member went. Unless another comes within the grace time, the member leaves. */
  leave(id: string, now: number): void {
    const member = this.#members.get(id);
    if (member === undefined || member.connections === 0) return;
    member.connections -= 1;
    if (member.connections === 0) this.#leaving.set(id, now + this.#grace);
  }

  /** Takes the members whose grace time is over. */
  takeLeft(now: number): string[] {
    const left: string[] = [];
    for (const [id, leavesAt] of this.#leaving) {
      if (leavesAt > now) break;
      this.#leaving.delete(id);
      this.#members.delete(id);
      left.push(id);
    }
    return left;
  }
}
