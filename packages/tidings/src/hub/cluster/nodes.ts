import type { LogEntry } from '../../log/entry.ts';
import type { EventLog } from '../../log/event-log.ts';
import { TidingsError } from '../../protocol/tidings-error.ts';
import type { Clock } from '../clock.ts';
import type { NodeStats } from '../hub-stats.ts';
import { HUB_TOPICS, hubDeletion, hubEvent } from './hub-topics.ts';
import type { LedgerReader } from './ledger.ts';

/** A node's lease as it stands on the log. */
interface Lease {
  readonly name: string | undefined;
  readonly startedAt: number;
  readonly stats: NodeStats;
  /** It has closed; its members have the grace time to come back elsewhere. */
  readonly leaving: boolean;
}

/** One hub of a cluster, as it said last. */
export interface NodeInfo {
  readonly id: string;
  readonly name: string | undefined;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** When it renewed its lease last. */
  readonly renewedAt: number;
  readonly stats: NodeStats;
}

export interface NodesOptions {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly name: string | undefined;
  /** How long a node counts as alive without a word, in milliseconds. */
  readonly lease: number;
  readonly stats: () => NodeStats;
  readonly report: (error: unknown) => void;
}

export interface NodesListener {
  /** A node is alive, at the latest now. */
  began(id: string): void;
  ended(id: string): void;
  /** This hub goes on as a new node: nothing of what it has told counts any longer. */
  startedOver(): void;
}

/** A lease is renewed so many times before it would expire. */
const RENEWALS = 3;

/**
 * The hubs that share a log. Each has a lease on it, a state that expires; it carries the node's counters, so every
 * node knows the cluster's. A node whose lease has expired, however alive, starts over under another id: the others have
 * given up what it had told.
 */
export class Nodes implements LedgerReader {
  readonly #options: NodesOptions;
  readonly #alive = new Map<string, { readonly lease: Lease; readonly time: number }>();
  readonly #listeners: NodesListener[] = [];
  #id = newId();
  /** Of the lease's newest value; 0 before the first. */
  #seq = 0;
  #startedAt: number;
  #renewing = false;
  #cancel: (() => void) | undefined;
  #stopped = false;
  #registered: Promise<void> | undefined;

  constructor(options: NodesOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  /** This hub's own. Changes if it starts over. */
  get id(): string {
    return this.#id;
  }

  /** The log has this node's lease. */
  get isRegistered(): boolean {
    return this.#seq > 0;
  }

  /** Nodes that are alive and not leaving, sorted: all must agree on who does what. */
  get active(): readonly string[] {
    return [...this.#alive].flatMap(([id, { lease }]) => (lease.leaving ? [] : [id])).sort();
  }

  /** Whether a node is alive and not leaving. */
  isActive(id: string): boolean {
    return this.#alive.get(id)?.lease.leaving === false;
  }

  add(listener: NodesListener): void {
    this.#listeners.push(listener);
  }

  start(): void {
    this.#renew();
  }

  /** Resolves once the log has the lease, or has refused it once. */
  async register(): Promise<void> {
    await this.#registered;
  }

  infos(): readonly NodeInfo[] {
    return [...this.#alive]
      .filter(([, { lease }]) => !lease.leaving)
      .map(([id, { lease, time }]) => {
        const { name, startedAt, stats } = lease;
        return { id, name, startedAt, renewedAt: time, stats };
      });
  }

  apply(entry: LogEntry): void {
    if (entry.topics[0] !== HUB_TOPICS.nodes) return;
    const id = entry.key ?? '';
    if (entry.tombstone) this.#end(id);
    else {
      // The answer to its append may have been lost.
      if (id === this.#id) this.#seq = Math.max(this.#seq, entry.seq);
      this.#begin(id, JSON.parse(entry.data) as Lease, entry.time);
    }
  }

  reset(): void {
    this.#alive.clear();
  }

  /** After a failover, the log may lack the lease that this node took for its own, or what it had told since. */
  loaded(isRewound: boolean): void {
    if (this.#seq === 0) return;
    const hasLease = this.#alive.has(this.#id);
    if (hasLease && !isRewound) return;
    const before = this.#id;
    this.#startOver();
    // Its earlier counters would count twice until the lease expires.
    if (!hasLease || before === this.#id) return;
    this.#options.log.append([hubDeletion(HUB_TOPICS.nodes, before)]).catch(() => {});
  }

  /**
   * Gives up the lease: at once, or, if members of this node should have time to come back elsewhere, after so many
   * milliseconds.
   */
  async stop(grace: number): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#registered;
    if (this.#seq === 0) return;
    const event =
      grace > 0 ? this.#leaseEvent(true, grace) : hubDeletion(HUB_TOPICS.nodes, this.#id, this.#seq);
    // If it fails, the lease expires.
    await this.#options.log.append([event]).catch(() => []);
  }

  #begin(id: string, lease: Lease, time: number): void {
    const isNew = !this.#alive.has(id);
    const before = this.#alive.get(id)?.lease.leaving;
    this.#alive.set(id, { lease, time });
    if (isNew || before !== lease.leaving) for (const listener of this.#listeners) listener.began(id);
  }

  #end(id: string): void {
    if (!this.#alive.delete(id)) return;
    for (const listener of this.#listeners) listener.ended(id);
    if (id === this.#id) this.#startOver();
  }

  #startOver(): void {
    if (this.#stopped) return;
    this.#id = newId();
    this.#seq = 0;
    this.#startedAt = this.#options.clock.now();
    for (const listener of this.#listeners) listener.startedOver();
    this.#renew();
  }

  #renew(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#stopped) return;
    if (!this.#renewing) this.#registered = this.#write();
    this.#cancel = this.#options.clock.setTimer(() => this.#renew(), this.#options.lease / RENEWALS, true);
  }

  async #write(): Promise<void> {
    const id = this.#id;
    this.#renewing = true;
    try {
      const [appended] = await this.#options.log.append([this.#leaseEvent(false, this.#options.lease)]);
      if (this.#id === id) this.#seq = appended?.seq ?? 0;
    } catch (error) {
      if (this.#stopped) return;
      // Nobody else writes this key: the lease has expired.
      const isOver = error instanceof TidingsError && error.code === 'event/conflict';
      if (!isOver) this.#options.report(error);
      else if (this.#id === id) queueMicrotask(() => this.#startOver());
    } finally {
      this.#renewing = false;
      // A node that started over meanwhile must not wait for its turn.
      if (this.#id !== id) this.#renew();
    }
  }

  #leaseEvent(leaving: boolean, ttl: number): ReturnType<typeof hubEvent> {
    const { name, stats } = this.#options;
    const lease: Lease = { name, startedAt: this.#startedAt, stats: stats(), leaving };
    return hubEvent(HUB_TOPICS.nodes, this.#id, lease, { ttl: Math.max(1, ttl), ifSeq: this.#seq });
  }
}

export function newId(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 12);
}
