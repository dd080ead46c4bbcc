import type { NewEvent } from '../protocol/event.ts';
import type { Appended } from '../log/event-log.ts';
import { SUPERSEDED_ID_WINDOW } from '../log/superseded-ids.ts';

export interface Publisher {
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

interface Version {
  readonly event: NewEvent;
  /** Grows with each event that is published. */
  readonly order: number;
  /** When it was published, by the clock's monotonic time. */
  readonly at: number;
  /** Several, if they published the same `id`. */
  readonly publishers: Publisher[];
}

/**
 * Waiting events of one key, of which only the newest should be appended. The newest may turn out to be a duplicate,
 * which its publisher sent again; then the one before it is the value that counts. Events are therefore kept until a
 * newer one without an `id` comes, which can't be a duplicate.
 */
export class Versions {
  /** Oldest first; each may yet be the one to be appended. */
  #candidates: Version[] = [];
  /** The remains of events that are surely superseded. Publishers may still send their ids again. */
  #supersededIds: string[] | undefined;
  #superseded: (readonly Publisher[])[] | undefined;

  /** An older value was still being appended until then, and must not seem newer; by the clock's monotonic time. */
  notBefore: number = -Infinity;

  /** The event to append next, with the ids of the others; undefined once all are answered. */
  get newest(): NewEvent | undefined {
    const event = this.#candidates.at(-1)?.event;
    if (event === undefined) return undefined;
    const ids = [...(this.#supersededIds ?? [])];
    for (const { event: older } of this.#candidates.slice(0, -1))
      if (older.id !== undefined) ids.push(older.id);
    return ids.length === 0 ? event : { ...event, supersededIds: ids.slice(-SUPERSEDED_ID_WINDOW) };
  }

  /** When the newest was published, or may count as published. */
  get newestAt(): number {
    return Math.max(this.#candidates.at(-1)?.at ?? 0, this.notBefore);
  }

  /** Whether the newest is the one that will be appended. */
  get isSure(): boolean {
    return this.#candidates.length < 2;
  }

  /** @returns the version, by which the same `id` can be found again. */
  add(event: NewEvent, publisher: Publisher, order: number, at: number): Version {
    if (event.id === undefined) this.#supersedeAll();
    const version = { event, order, at, publishers: [publisher] };
    this.#candidates.push(version);
    return version;
  }

  /** Takes over the versions of other events of the key, whichever are older. */
  absorb(other: Versions): void {
    const all = [...this.#candidates, ...other.#candidates].sort((a, b) => a.order - b.order);
    if (other.#supersededIds !== undefined) (this.#supersededIds ??= []).push(...other.#supersededIds);
    if (other.#superseded !== undefined) (this.#superseded ??= []).push(...other.#superseded);
    this.notBefore = Math.max(this.notBefore, other.notBefore);
    this.#candidates = [];
    for (const version of all) {
      if (version.event.id === undefined) this.#supersedeAll();
      this.#candidates.push(version);
    }
  }

  /** The versions that may yet be the one to be appended. */
  get open(): readonly Version[] {
    return this.#candidates;
  }

  /** Gives the publishers the newest one's result. @returns whether all are answered; if not, append the next. */
  settle(appended: Appended): boolean {
    answer(this.#candidates.pop()?.publishers ?? [], appended);
    if (appended.duplicate && this.#candidates.length > 0) return false;
    this.#supersedeAll();
    for (const publishers of this.#superseded ?? [])
      answer(publishers, { seq: appended.seq, duplicate: true });
    return true;
  }

  fail(error: unknown): void {
    this.#supersedeAll();
    for (const { reject } of (this.#superseded ?? []).flat()) reject(error);
  }

  #supersedeAll(): void {
    for (const { event, publishers } of this.#candidates) {
      if (event.id !== undefined) (this.#supersededIds ??= []).push(event.id);
      (this.#superseded ??= []).push(publishers);
    }
    if (this.#candidates.length > 0) this.#candidates = [];
  }
}

/** One event was appended at most, so all publishers but the first sent a duplicate. */
function answer(publishers: readonly Publisher[], { seq, duplicate }: Appended): void {
  for (const [i, { resolve }] of publishers.entries()) resolve({ seq, duplicate: duplicate || i > 0 });
}

/** The versions of several values, in the order in which the newest of each was published. */
export class WaitingEvents {
  static #published = 0;
  readonly #versions = new Map<unknown, Versions>();
  readonly #byId = new Map<string, Version>();

  get isEmpty(): boolean {
    return this.#versions.size === 0;
  }

  /** All waiting events, ready to be appended side by side. */
  get all(): readonly Versions[] {
    return [...this.#versions.values()];
  }

  /** An event that supersedes nothing. */
  add(event: NewEvent, publisher: Publisher, at: number): void {
    const versions = new Versions();
    versions.add(event, publisher, (WaitingEvents.#published += 1), at);
    this.#versions.set(versions, versions);
  }

  /** A waiting value of the event's key must not be dated before `at`. */
  notBefore({ topics, key }: Pick<NewEvent, 'topics' | 'key'>, at: number): void {
    const versions = this.#versions.get(placeOf({ topics, key }));
    if (versions !== undefined) versions.notBefore = at;
  }

  /** Adds versions that came too early for the log. */
  putBack(versions: Versions): void {
    const event = versions.newest;
    if (event === undefined) return;
    const key = placeOf(event);
    const waiting = this.#versions.get(key);
    if (waiting === undefined) this.#versions.set(key, versions);
    else waiting.absorb(versions);
    for (const version of versions.open)
      if (version.event.id !== undefined) this.#byId.set(version.event.id, version);
  }

  /** Adds an event that supersedes waiting ones of its topic and key, unless it is waiting and was only sent again. */
  supersede(event: NewEvent, publisher: Publisher, at: number): void {
    const known = event.id === undefined ? undefined : this.#byId.get(event.id);
    if (known !== undefined) {
      known.publishers.push(publisher);
      return;
    }
    const key = placeOf(event);
    const versions = this.#versions.get(key) ?? new Versions();
    const version = versions.add(event, publisher, (WaitingEvents.#published += 1), at);
    if (event.id !== undefined) this.#byId.set(event.id, version);
    this.#versions.delete(key);
    this.#versions.set(key, versions);
  }
}

/** No topic has a NUL. */
function placeOf({ topics, key }: Pick<NewEvent, 'topics' | 'key'>): string {
  return `${topics[0]}\0${key}`;
}
