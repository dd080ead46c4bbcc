import type { NewEvent } from '../protocol/event.ts';
import type { Clock } from './clock.ts';
import type { Appended, EventLog } from '../log/event-log.ts';
import { isState } from '../log/topic-rules.ts';

interface Waiter {
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

/** The newest event of a key within the interval, and the publishers of it and of those it superseded. */
interface Held {
  readonly event: NewEvent;
  readonly waiters: readonly Waiter[];
}

interface Interval {
  held: Map<string, Held>;
  readonly cancel: () => void;
}

/**
 * Stands before the log, for topics that are states with an interval: while one runs, the topic's events wait here
 * and collapse to the newest of each key. So order, cursors and resume know nothing of it, and its work is per
 * topic, however many read.
 */
export class Conflation {
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #intervals = new Map<string, Interval>();

  constructor(log: EventLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Like the log's `append`. An event that a newer one superseded gets that one's seq, as a duplicate. */
  append(events: readonly NewEvent[]): Promise<readonly Appended[]> {
    const waits = events.map((event) => this.#isRunning(event));
    if (!waits.includes(true)) return this.#appendNow(events);
    const now = events.filter((_, i) => waits[i] === false);
    // A log that fails would fail to append nothing, too, and nobody would take that error.
    const appendedNow = now.length === 0 ? Promise.resolve([]) : this.#appendNow(now);
    const appended = events.map((event, i) => {
      if (waits[i] === true) return this.#hold(event);
      const index = waits.slice(0, i).filter((wait) => !wait).length;
      return appendedNow.then((all) => all[index] as Appended);
    });
    return Promise.all(appended);
  }

  /** Appends what waits, now. */
  flush(): void {
    for (const [topic, { cancel }] of this.#intervals) {
      cancel();
      this.#end(topic);
    }
  }

  #isRunning(event: NewEvent): boolean {
    return isState(this.#log.rules, event) && this.#intervals.has(event.topics[0]);
  }

  #appendNow(events: readonly NewEvent[]): Promise<readonly Appended[]> {
    for (const event of events) {
      const interval = this.#log.rules.of(event.topics[0])?.interval ?? 0;
      if (interval > 0 && isState(this.#log.rules, event)) this.#begin(event.topics[0], interval);
    }
    return this.#log.append(events);
  }

  #begin(topic: string, milliseconds: number): void {
    if (this.#intervals.has(topic)) return;
    const cancel = this.#clock.setTimer(() => this.#end(topic), milliseconds);
    this.#intervals.set(topic, { held: new Map(), cancel });
  }

  #hold(event: NewEvent): Promise<Appended> {
    const interval = this.#intervals.get(event.topics[0]);
    return new Promise((resolve, reject) => {
      const key = event.key ?? '';
      const waiters = [...(interval?.held.get(key)?.waiters ?? []), { resolve, reject }];
      // The newest goes to the end, so that what is appended is in the order it was published in.
      interval?.held.delete(key);
      interval?.held.set(key, { event, waiters });
    });
  }

  #end(topic: string): void {
    const held = [...(this.#intervals.get(topic)?.held.values() ?? [])];
    this.#intervals.delete(topic);
    if (held.length === 0) return;
    this.#appendNow(held.map(({ event }) => event)).then(
      (appended) => {
        for (const [i, { waiters }] of held.entries()) settle(waiters, appended[i] as Appended);
      },
      (error: unknown) => {
        for (const { waiters } of held) for (const { reject } of waiters) reject(error);
      },
    );
  }
}

function settle(waiters: readonly Waiter[], appended: Appended): void {
  for (const [i, { resolve }] of waiters.entries()) {
    resolve(i === waiters.length - 1 ? appended : { ...appended, duplicate: true });
  }
}
