import type { NewEvent } from '../protocol/event.ts';
import type { Clock } from './clock.ts';
import type { Appended, EventLog } from '../log/event-log.ts';
import { isState } from '../log/topic-rules.ts';
import { TimersInTurns } from './timers-in-turns.ts';
import { type Versions, WaitingEvents } from './versions.ts';

interface Interval {
  readonly waiting: WaitingEvents;
  readonly cancel: () => void;
}

interface Early {
  readonly versions: Versions;
  /** Milliseconds. */
  readonly wait: number;
}

/**
 * Stands in front of the log, for state topics with an interval: while one runs, the topic's events wait here and
 * collapse to the newest of each key. Order, cursors and resume are unaffected, and the work is per topic, however
 * many readers there are. Where several processes share the log, it keeps the pace for all of them: a value that it
 * finds too early goes on waiting here.
 */
export class Conflation {
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #timers: TimersInTurns;
  readonly #intervals = new Map<string, Interval>();
  /** Appends under way. */
  readonly #appending = new Set<Promise<void>>();
  /**
   * How many of them newer values of a topic wait for: they may have to append an older value, if the newest is a duplicate;
   * or the log dates a value, for other processes, when it arrives there.
   */
  readonly #unsettled = new Map<string, number>();
  /** Topics whose interval has ended meanwhile. */
  readonly #overdue = new Set<string>();
  #closing = false;

  constructor(log: EventLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.#timers = new TimersInTurns(clock);
  }

  /**
   * Like the log's `append`, but all or nothing only for the events that don't have to wait. Of one key, an event of
   * the same call supersedes those before it. A superseded event gets the seq of the newer one, as a duplicate.
   */
  append(events: readonly NewEvent[]): Promise<readonly Appended[]> {
    if (this.#intervals.size > 0) for (const event of events) this.#release(event.topics[0]);
    if (!events.some((event) => this.#intervalOf(event) > 0)) return this.#log.append(events);
    const now = new WaitingEvents();
    const starting = new Map<string, number>();
    const appended = events.map(
      (event) =>
        new Promise<Appended>((resolve, reject) => {
          const publisher = { resolve, reject };
          const [topic] = event.topics;
          const milliseconds = this.#intervalOf(event);
          const at = this.#clock.monotonic();
          if (milliseconds === 0) return now.add(event, publisher, at);
          const running = this.#intervals.get(topic);
          if (running === undefined) starting.set(topic, milliseconds);
          (running?.waiting ?? now).supersede(event, publisher, at);
        }),
    );
    for (const [topic, milliseconds] of starting) this.#begin(topic, milliseconds);
    // A failing log would reject an empty append too, and no caller would handle that error.
    if (!now.isEmpty) this.#append(now.all, [...starting.keys()]);
    return Promise.all(appended);
  }

  /** Appends all waiting events. Resolves once the log has them or has refused them. */
  async flush(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#appending);
    for (const [topic, { waiting, cancel }] of this.#intervals) {
      cancel();
      this.#intervals.delete(topic);
      if (!waiting.isEmpty) this.#append(waiting.all, [topic]);
    }
    await Promise.all(this.#appending);
  }

  #intervalOf(event: NewEvent): number {
    if (event.key === undefined || !isState(this.#log.rules, event)) return 0;
    return this.#log.rules.of(event.topics[0])?.interval ?? 0;
  }

  #begin(topic: string, milliseconds: number, waiting: WaitingEvents = new WaitingEvents()): void {
    const cancel = this.#timers.set(() => this.#end(topic), milliseconds);
    this.#intervals.set(topic, { waiting, cancel });
  }

  /** If the topic's rule has lost its interval, the events that still wait come now, before any newer one. */
  #release(topic: string): void {
    const running = this.#intervals.get(topic);
    if (running === undefined || (this.#log.rules.of(topic)?.interval ?? 0) > 0) return;
    running.cancel();
    this.#intervals.delete(topic);
    if (!running.waiting.isEmpty) this.#append(running.waiting.all, [topic]);
  }

  #end(topic: string): void {
    const interval = this.#intervals.get(topic);
    if (interval === undefined) return;
    if (this.#unsettled.has(topic)) {
      // An older value must not come after a newer one.
      this.#overdue.add(topic);
      return;
    }
    this.#intervals.delete(topic);
    if (interval.waiting.isEmpty) return;
    // The topic's rule may have changed.
    const milliseconds = this.#log.rules.of(topic)?.interval ?? 0;
    if (milliseconds > 0) this.#begin(topic, milliseconds);
    this.#append(interval.waiting.all, [topic]);
  }

  /** Other processes publish the same keys, and the log has one pace for all. */
  #paced(versions: Versions): NewEvent {
    const event = versions.newest as NewEvent;
    const interval = this.#log.shared ? this.#intervalOf(event) : 0;
    if (interval === 0) return event;
    // Rounded down: the value that this one follows is not newer.
    const waited = Math.floor(this.#clock.monotonic() - versions.newestAt);
    // At the end nothing waits any longer.
    return { ...event, pace: { interval: this.#closing ? 0 : interval, waited } };
  }

  /** Another process was first: these wait until the log takes them. */
  #putBack(early: readonly Early[]): void {
    const waits = new Map<string, number>();
    for (const { versions, wait } of early) {
      const topic = (versions.newest as NewEvent).topics[0];
      this.#overdue.delete(topic);
      waits.set(topic, Math.max(wait, waits.get(topic) ?? 0));
      const running = this.#intervals.get(topic);
      const waiting = running?.waiting ?? new WaitingEvents();
      waiting.putBack(versions);
      if (running === undefined) this.#begin(topic, this.#log.rules.of(topic)?.interval ?? wait, waiting);
    }
    for (const [topic, wait] of waits) {
      const running = this.#intervals.get(topic);
      if (running === undefined) continue;
      running.cancel();
      const cancel = this.#timers.set(() => this.#end(topic), wait);
      this.#intervals.set(topic, { ...running, cancel });
    }
  }

  #append(versions: readonly Versions[], topics: readonly string[]): void {
    const unsettled = this.#log.shared || versions.some(({ isSure }) => !isSure) ? topics : [];
    for (const topic of unsettled) this.#unsettled.set(topic, (this.#unsettled.get(topic) ?? 0) + 1);
    const appending = this.#appendNewest(versions).finally(() => {
      this.#appending.delete(appending);
      for (const topic of unsettled) {
        const others = (this.#unsettled.get(topic) ?? 1) - 1;
        if (others > 0) this.#unsettled.set(topic, others);
        else this.#unsettled.delete(topic);
        if (others <= 0 && this.#overdue.delete(topic)) this.#end(topic);
      }
    });
    this.#appending.add(appending);
  }

  /** Calls the log at once, to keep the order of calls; calls it again only if some events were duplicates. */
  async #appendNewest(versions: readonly Versions[]): Promise<void> {
    let open = versions;
    try {
      while (open.length > 0) {
        const events = open.map((versions) => this.#paced(versions));
        const appended = await this.#log.append(events);
        const early: Early[] = [];
        this.#settled(events.filter((_, i) => appended[i]?.wait === undefined && !appended[i]?.duplicate));
        open = open.filter((each, i) => {
          const answer = appended[i] as Appended;
          if (answer.wait === undefined) return !each.settle(answer);
          early.push({ versions: each, wait: answer.wait });
          return false;
        });
        this.#putBack(early);
      }
    } catch (error) {
      // The log may have them all the same.
      this.#settled(open.flatMap(({ newest }) => newest ?? []));
      for (const each of open) each.fail(error);
    }
  }

  /** The log has these: values of their keys that wait here count as published now, at the earliest. */
  #settled(events: readonly NewEvent[]): void {
    const now = this.#clock.monotonic();
    for (const event of events) this.#intervals.get(event.topics[0])?.waiting.notBefore(event, now);
  }
}
