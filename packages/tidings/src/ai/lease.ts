import type { Clock } from '../hub/clock.ts';
import type { RunsGateway } from '../hub/runs-gateway.ts';
import type { EventLog } from '../log/event-log.ts';
import type { EventInput } from '../protocol/event.ts';
import { OWNERS } from './names.ts';

/** Under `Symbol.for`: bundlers load this module once for each bundle, and all of them count. */
const USERS: unique symbol = Symbol.for('tidings.runs-users') as never;

/** A process's key on the topic of owners: while it is there, the process counts as alive. */
export class Lease {
  readonly owner: string = crypto.randomUUID();
  readonly #gateway: RunsGateway;
  readonly #clock: Clock;
  readonly #duration: number;
  /** By the clock's monotonic time. */
  #renewedAt = -Infinity;
  #renewing: Promise<void> | undefined;

  constructor(gateway: RunsGateway, clock: Clock, duration: number) {
    this.#gateway = gateway;
    this.#clock = clock;
    this.#duration = duration;
    countUsers(gateway.log, 1);
  }

  /** Whether nobody else can produce runs on the log: no other process, and no other part of this one. */
  get isAlone(): boolean {
    const { log } = this.#gateway;
    return !log.shared && countUsers(log, 0) === 1;
  }

  /** Says that this process is alive, unless it has said so lately. */
  renew(): Promise<void> {
    const now = this.#clock.monotonic();
    if (!this.#isDue(now)) return Promise.resolve();
    this.#renewing ??= this.#gateway
      .publish([this.#event])
      .then(() => void (this.#renewedAt = now))
      .finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  /** The same in the group that somebody else publishes: the events to put into it, and what to call when it is. */
  renewal(): { readonly events: readonly EventInput[]; readonly done: () => void } {
    const now = this.#clock.monotonic();
    if (!this.#isDue(now)) return { events: [], done: () => {} };
    return { events: [this.#event], done: () => void (this.#renewedAt = Math.max(this.#renewedAt, now)) };
  }

  /** The log has lost what was said last. */
  forget(): void {
    this.#renewedAt = -Infinity;
  }

  async end(): Promise<void> {
    countUsers(this.#gateway.log, -1);
    if (this.#renewedAt === -Infinity) return;
    await this.#gateway.publish([
      { topics: OWNERS, data: null, key: this.owner, tombstone: true, private: true },
    ]);
  }

  #isDue(now: number): boolean {
    return now - this.#renewedAt >= this.#duration / 3;
  }

  get #event(): EventInput {
    return { topics: OWNERS, data: null, key: this.owner, ttl: this.#duration, private: true };
  }
}

/** @returns how many leases there are on the log in this process. */
function countUsers(log: EventLog, change: 1 | 0 | -1): number {
  const holder = globalThis as { [USERS]?: WeakMap<EventLog, number> };
  const users = (holder[USERS] ??= new WeakMap<EventLog, number>());
  const count = (users.get(log) ?? 0) + change;
  if (change !== 0) users.set(log, count);
  return count;
}
