import type { NewEvent } from '../../protocol/event.ts';
import type { Core } from '../core.ts';
import { type ClusterStats, type NodeStats, clusterStatsOf, nodeStatsOf } from '../hub-stats.ts';
import { type PresenceCounter, PresenceTracker } from '../presence/presence.ts';
import { PlacesLimit, PresenceRules } from '../presence/rules.ts';
import { SharedPresence } from '../presence/shared-presence.ts';
import { HUB_TOPICS, hubDeletion, hubEvent } from './hub-topics.ts';
import { Ledger } from './ledger.ts';
import { Nodes, newId } from './nodes.ts';
import {
  type DisconnectOrder,
  type DisconnectTarget,
  Orders,
  type Revocation,
  revocationKey,
} from './orders.ts';

/** Not a topic that anybody could have: on it, nodes tell each other how many connections each subject has. */
const SUBJECTS = `${HUB_TOPICS.members}subjects`;
/** How long an order to disconnect stands for nodes that are late, in milliseconds. */
const ORDER_STANDS = 60_000;

/** A hub's share in the cluster on its log: leases, presence, counts, orders. Alone on a log, it keeps orders there. */
export class Cluster {
  readonly nodes: Nodes | undefined;
  readonly presence: PresenceCounter;
  readonly rules: PresenceRules;
  readonly orders: Orders;
  readonly ledger: Ledger;
  readonly #core: Core;
  readonly #shared: SharedPresence | undefined;
  readonly #startedAt: number;

  /** Call it before there are connections; `start` when the hub is complete. */
  constructor(core: Core, endVisits: (where: Parameters<typeof core.endVisits>[0]) => void) {
    this.#core = core;
    const { log, clock, onError: report, presence, limits, cluster } = core.options;
    this.#startedAt = clock.now();
    this.rules = new PresenceRules(presence);
    const limit = new PlacesLimit(limits, report);
    this.ledger = new Ledger({ log, clock, report, presence: log.shared });
    this.orders = new Orders({
      head: () => log.tail.head,
      connections: () => core.registry.values(),
      countOf: (subject) => core.registry.countOf(subject),
      end: (picked, retry) => core.evict(picked, retry),
      endVisits,
      now: clock.now,
      append: (event) => log.append([event]),
      report,
    });
    if (log.shared) {
      const stats = (): NodeStats => nodeStatsOf(core);
      this.nodes = new Nodes({ log, clock, report, stats, ...cluster });
      this.#shared = new SharedPresence({ rules: this.rules, limit, log, clock, nodes: this.nodes, report });
      this.nodes.add(this.#shared);
      this.ledger.add(this.nodes);
      this.ledger.add(this.#shared);
      this.presence = this.#shared;
    } else {
      this.presence = new PresenceTracker(this.rules, log, clock, report, limit);
    }
    this.ledger.add(this.orders);
    this.ledger.add(core.lostEnds);
  }

  start(): void {
    this.ledger.start();
    this.nodes?.start();
  }

  stop(): void {
    this.presence.stop();
    this.ledger.stop();
  }

  /** Gives up this node's lease. */
  async leave(): Promise<void> {
    await this.nodes?.stop(this.#shared?.graceLeft ?? 0);
  }

  stats(): ClusterStats {
    const own = nodeStatsOf(this.#core);
    const id = this.nodes?.id ?? 'only';
    const { name } = this.#core.options.cluster;
    const self = {
      id,
      name,
      startedAt: this.#startedAt,
      renewedAt: this.#core.options.clock.now(),
      stats: own,
    };
    const others = this.nodes?.infos().filter((node) => node.id !== id) ?? [];
    return clusterStatsOf(self, others);
  }

  /** A subject has another number of connections here. */
  countSubject(subject: string, connections: number): void {
    if (this.#shared === undefined) return;
    // Without a limit nobody asks; but the limits may change.
    const isCounted = connections > 0 && this.#core.options.limits.connectionsPerSubject < Infinity;
    if (isCounted) this.#shared.set(SUBJECTS, { id: subject, data: connections });
    else this.#shared.delete(SUBJECTS, subject);
  }

  /** How many connections a subject has at other nodes, as far as they have told. */
  connectionsElsewhere(subject: string): number {
    const counts = this.#shared?.dataElsewhere(SUBJECTS, subject) ?? [];
    return counts.reduce<number>((sum, count) => sum + (typeof count === 'number' ? count : 0), 0);
  }

  disconnect(who: DisconnectTarget, retry: number | undefined): Promise<void> {
    const order: DisconnectOrder = { who, retry };
    return this.#append(hubEvent(HUB_TOPICS.disconnects, newId(), order, { ttl: ORDER_STANDS }));
  }

  revoke(revocation: Revocation, stands: number): Promise<void> {
    const key = revocationKey(revocation);
    return this.#append(
      stands === 0
        ? hubDeletion(HUB_TOPICS.revocations, key)
        : hubEvent(HUB_TOPICS.revocations, key, revocation, { ttl: stands }),
    );
  }

  async #append(event: NewEvent): Promise<void> {
    await this.#core.options.log.append([event]);
  }
}
