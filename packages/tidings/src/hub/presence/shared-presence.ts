import type { LogEntry } from '../../log/entry.ts';
import type { EventLog } from '../../log/event-log.ts';
import { PRESENCE_PREFIX } from '../../protocol/matcher.ts';
import type { Clock } from '../clock.ts';
import { inSlices } from '../in-slices.ts';
import { TimersInTurns } from '../timers-in-turns.ts';
import { HUB_TOPICS, hubDeletion } from '../cluster/hub-topics.ts';
import type { LedgerReader } from '../cluster/ledger.ts';
import type { Nodes, NodesListener } from '../cluster/nodes.ts';
import { Attendance, type Member } from './attendance.ts';
import { type PageData, Pages } from './pages.ts';
import { type PresenceCounter, toEvent } from './presence.ts';
import type { Presence } from './roster.ts';
import { type PlacesLimit, type PresenceRules, encodable } from './rules.ts';
import { type Leftover, Sums } from './sums.ts';

export interface SharedPresenceOptions {
  readonly rules: PresenceRules;
  readonly limit: PlacesLimit;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly nodes: Nodes;
  readonly report: (error: unknown) => void;
}

/** Milliseconds in which changes gather before they are told to the other nodes, and at least between two tellings. */
const GATHER = 20;
const TELL_EVERY = 100;
/** Milliseconds before another try when the log has failed. */
const RETRY = 1000;
/** Events of one append. */
const CHUNK = 500;
/** Topics looked at in a turn when nodes have come or gone. */
const STEP = 500;
/** Between announcements of a topic that no rule of this node has any more. */
const NO_RULE = { interval: 250, members: 0 };

/**
 * Presence over all nodes of a cluster. Each node tells the others its own members, as states on the log; every node sums
 * them in the log's order. For each topic one node is responsible, on which all agree: it announces the sum whenever it
 * differs from what was announced last, whoever did that.
 *
 * Longer than other files because telling and announcing share what a node knows, and their timers wait for each other.
 */
export class SharedPresence implements PresenceCounter, LedgerReader, NodesListener {
  readonly #options: SharedPresenceOptions;
  readonly #timers: TimersInTurns;
  readonly #own = new Map<string, { readonly attendance: Attendance; cancel?: () => void }>();
  readonly #pages = new Pages();
  readonly #sums = new Sums((topic) => this.#check(topic));
  /** Topic → the data announced last. */
  readonly #announced = new Map<string, string>();
  /** When each topic was announced by this node, by the clock's monotonic time. */
  readonly #announcedAt = new Map<string, number>();
  /** Topics that this node is going to announce. */
  readonly #due = new Map<string, () => void>();
  #cancelTelling: (() => void) | undefined;
  #isTelling = false;
  #toldAt = -Infinity;
  #isLoaded = false;
  /** Grows with each look at all topics, which ends earlier ones. */
  #walks = 0;
  /** Until then nothing is announced: after a restart of all, members have time to come back. */
  #holdUntil: number | undefined;
  #stopped = false;

  constructor(options: SharedPresenceOptions) {
    this.#options = options;
    this.#timers = new TimersInTurns(options.clock);
  }

  get topics(): number {
    return this.#own.size;
  }

  of(topic: string): Presence {
    return this.#sums.of(topic, this.#options.rules.of(topic)?.members ?? 0);
  }

  join(topics: Iterable<string>, member: Member): void {
    const { rules, limit, report } = this.#options;
    let checked: Member | undefined;
    for (const topic of topics) {
      const rule = rules.of(topic);
      if (rule === undefined) continue;
      let own = this.#own.get(topic);
      if (own === undefined) {
        if (!limit.hasRoom(this.#own.size)) continue;
        this.#own.set(topic, (own = { attendance: new Attendance(rule.grace) }));
      }
      checked ??= encodable(member, report);
      if (own.attendance.join(checked)) this.set(topic, checked);
    }
  }

  leave(topics: Iterable<string>, id: string): void {
    for (const topic of topics) {
      const own = this.#own.get(topic);
      if (own === undefined) continue;
      own.attendance.leave(id, this.#options.clock.monotonic());
      this.#armLeave(topic);
    }
  }

  /** Tells the other nodes of a member, with its data. Also used for what isn't presence: counts of connections. */
  set(topic: string, member: Member): void {
    this.#pages.set(topic, member);
    this.#tell();
  }

  delete(topic: string, id: string): void {
    this.#pages.delete(topic, id);
    this.#tell();
  }

  /** A member's data at each other node, without those that have closed and are kept for the grace time. */
  dataElsewhere(topic: string, id: string): unknown[] {
    const { nodes } = this.#options;
    return this.#sums.dataAt((node) => node !== nodes.id && nodes.isActive(node), topic, id);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTelling?.();
    for (const { cancel } of this.#own.values()) cancel?.();
    for (const cancel of this.#due.values()) cancel();
  }

  /** Milliseconds that members of this node have to come back elsewhere once it is closed. */
  get graceLeft(): number {
    return this.#own.size === 0 ? 0 : this.#options.rules.grace;
  }

  apply({ topics: [topic], key = '', tombstone, data, seq }: LogEntry): void {
    if (topic.startsWith(PRESENCE_PREFIX)) {
      const about = topic.slice(PRESENCE_PREFIX.length);
      if (tombstone) this.#announced.delete(about);
      else this.#announced.set(about, data);
      this.#check(about);
    } else if (topic.startsWith(HUB_TOPICS.members)) {
      const node = topic.slice(HUB_TOPICS.members.length);
      this.#sums.set(node, key, tombstone ? undefined : { ...(JSON.parse(data) as PageData), seq });
      // Another node took this one for dead.
      if (tombstone && node === this.#options.nodes.id && this.#pages.has(Number(key))) {
        this.#pages.putBack([Number(key)]);
        this.#tell();
      }
    }
  }

  reset(): void {
    this.#isLoaded = false;
    this.#sums.reset();
    this.#announced.clear();
  }

  loaded(): void {
    const { nodes, clock, rules } = this.#options;
    this.#isLoaded = true;
    const isAlone = nodes.active.every((id) => id === nodes.id);
    this.#holdUntil ??= clock.monotonic() + (isAlone ? rules.grace : 0);
    this.#checkAll();
  }

  began(id: string): void {
    this.#sums.begin(id);
    if (id === this.#options.nodes.id) this.#tell();
    this.#checkAll();
  }

  ended(id: string): void {
    this.#sums.end(id);
    this.#checkAll();
  }

  startedOver(): void {
    this.#pages.putBackAll();
    this.#tell();
  }

  #armLeave(topic: string): void {
    const own = this.#own.get(topic);
    if (own === undefined || own.cancel !== undefined || this.#stopped) return;
    const { clock } = this.#options;
    const at = own.attendance.nextLeave;
    if (at === Infinity) return;
    own.cancel = clock.setTimer(
      () => {
        delete own.cancel;
        for (const id of own.attendance.takeLeft(clock.monotonic())) this.delete(topic, id);
        if (own.attendance.count === 0) this.#own.delete(topic);
        this.#armLeave(topic);
      },
      Math.max(0, at - clock.monotonic()),
    );
  }

  #tell(): void {
    if (this.#cancelTelling !== undefined || this.#isTelling || this.#stopped || !this.#pages.isDirty) return;
    const { clock } = this.#options;
    const delay = Math.max(GATHER, this.#toldAt + TELL_EVERY - clock.monotonic());
    this.#cancelTelling = clock.setTimer(() => {
      this.#cancelTelling = undefined;
      void this.#tellNow();
    }, delay);
  }

  async #tellNow(): Promise<void> {
    const { nodes, log, clock, report } = this.#options;
    // The lease comes first; `began` says when it is there.
    if (!nodes.isRegistered) return;
    this.#isTelling = true;
    this.#toldAt = clock.monotonic();
    const id = nodes.id;
    const changes = this.#pages.take(id);
    let told = 0;
    try {
      for (; told < changes.length && nodes.id === id; told += CHUNK)
        await log.append(changes.slice(told, told + CHUNK).map(([, event]) => event));
      if (nodes.id !== id) this.#pages.putBackAll();
    } catch (error) {
      this.#pages.putBack(changes.slice(told).map(([page]) => page));
      if (!this.#stopped) report(error);
      this.#toldAt = clock.monotonic() + RETRY;
    } finally {
      this.#isTelling = false;
      this.#tell();
    }
  }

  /** Whether this node announces the topic, or clears up after the node. */
  #isResponsible(name: string): boolean {
    const { nodes } = this.#options;
    let best = '';
    let most = -1;
    for (const id of nodes.active) {
      const weight = hash(`${id}\n${name}`);
      if (weight > most) [best, most] = [id, weight];
    }
    return best === nodes.id;
  }

  /** The nodes have changed, and with them who is responsible for what. */
  #checkAll(): void {
    if (!this.#isLoaded || this.#stopped) return;
    this.#walks += 1;
    const walk = this.#walks;
    inSlices(this.#options.clock, this.#duties(), {
      work: (duty) => duty(),
      most: STEP,
      // With other nodes it begins anew.
      isOver: () => walk !== this.#walks || !this.#isLoaded || this.#stopped,
    });
  }

  *#duties(): Generator<() => void> {
    for (const topic of this.#sums.topics()) yield () => this.#check(topic);
    for (const topic of this.#announced.keys()) yield () => this.#check(topic);
    const responsible = new Map<string, boolean>();
    for (const leftover of this.#sums.leftovers()) yield () => this.#clearUp(leftover, responsible);
  }

  #check(topic: string): void {
    if (!this.#isLoaded || this.#stopped || this.#due.has(topic) || isHidden(topic)) return;
    // In this order: what a topic would announce is dear to find out.
    if (!this.#isResponsible(topic) || this.#announcement(topic) === undefined) return;
    const { clock, rules } = this.#options;
    const { interval } = rules.of(topic) ?? NO_RULE;
    const now = clock.monotonic();
    const at = Math.max((this.#announcedAt.get(topic) ?? now) + interval, now, this.#holdUntil ?? now);
    // Even a first change waits for the interval: a crowd that comes at once gets one announcement.
    const delay = Math.max(at - now, this.#announcedAt.has(topic) ? 0 : interval);
    this.#due.set(
      topic,
      this.#timers.set(() => void this.#announce(topic), delay),
    );
  }

  /** The change to announce; undefined once it has been. */
  #announcement(topic: string): Presence | undefined {
    const { members } = this.#options.rules.of(topic) ?? NO_RULE;
    const presence = this.#sums.of(topic, members);
    const announced = this.#announced.get(topic);
    if (presence.count === 0) return announced === undefined ? undefined : presence;
    return toEvent(topic, presence).data === announced ? undefined : presence;
  }

  async #announce(topic: string): Promise<void> {
    const { clock, log, report } = this.#options;
    const presence = this.#isResponsible(topic) ? this.#announcement(topic) : undefined;
    if (presence !== undefined) {
      this.#announcedAt.set(topic, clock.monotonic());
      try {
        await log.append([toEvent(topic, presence)]);
      } catch (error) {
        if (this.#stopped) return;
        report(error);
        this.#announcedAt.set(topic, clock.monotonic() + RETRY);
      }
    }
    this.#due.delete(topic);
    if (this.#sums.of(topic, 0).count === 0) this.#announcedAt.delete(topic);
    this.#check(topic);
  }

  /** Deletes from the log what a node has left that is gone. */
  #clearUp([node, page, seq]: Leftover, responsible: Map<string, boolean>): void {
    const { log, report } = this.#options;
    let isOwn = responsible.get(node);
    if (isOwn === undefined) responsible.set(node, (isOwn = this.#isResponsible(node)));
    if (!isOwn) return;
    // Should another node be faster, the condition fails.
    log.append([hubDeletion(HUB_TOPICS.members + node, page, seq)]).catch((error: unknown) => {
      if (!this.#stopped && (error as { code?: string }).code !== 'event/conflict') report(error);
    });
  }
}

/** Topics that are summed but not announced. */
function isHidden(topic: string): boolean {
  return topic.startsWith(HUB_TOPICS.members);
}

/** FNV-1a, and a last mix, since similar texts must not get similar numbers. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  return (value ^ (value >>> 12)) >>> 0;
}
