import { PRESENCE_PREFIX } from '../../protocol/matcher.ts';
import type { Clock } from '../clock.ts';
import type { LogEntry } from '../../log/entry.ts';
import type { EventLog } from '../../log/event-log.ts';
import { isHubs, isHubsTopic } from '../../log/topic-rules.ts';
import { inSlices } from '../in-slices.ts';
import { hubMatchers } from './hub-topics.ts';

/** Reads what hubs write on the log, in its order. */
export interface LedgerReader {
  /** An entry of a hub: the newest of its key so far. */
  apply(entry: LogEntry): void;
  /** Forget everything: all entries come again. */
  reset(): void;
  /** The log has all that was in it applied, at the start or after a `reset`. `isRewound`: it has lost its end meanwhile. */
  loaded?(isRewound: boolean): void;
}

export interface LedgerOptions {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly report: (error: unknown) => void;
  /** Whether announced presence is read, too. */
  readonly presence: boolean;
}

/** Read at once, to keep turns short. */
const PAGE = { events: 500, length: 262_144, looks: 5000 };
/** Entries applied in a turn. */
const STEP = 500;
/** Milliseconds before another try to read the log. */
const RETRY = 1000;

/**
 * The hubs' words to each other on a log: their states from before the start, then every change. If the log could not
 * bring all changes, or has lost some, it is read anew.
 */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #readers: LedgerReader[] = [];
  /** Entries that came while the log is read; undefined once it has been. */
  #waiting: LogEntry[] | undefined = [];
  /** The log has lost its end since it was read. */
  #isRewound = false;
  /** Grows with each reading, which ends earlier ones. */
  #reading = 0;
  #stop: () => void = () => {};
  #stopped = false;
  readonly ready: Promise<void>;
  #isReady = false;
  #onReady: () => void = () => {};

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.ready = new Promise((resolve) => {
      this.#onReady = resolve;
    });
  }

  /** The log has been read once: it is known what holds. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Call it for all readers before `start`. */
  add(reader: LedgerReader): void {
    this.#readers.push(reader);
  }

  start(): void {
    const { log, presence } = this.#options;
    const concerns = (topic: string): boolean => presence || !topic.startsWith(PRESENCE_PREFIX);
    const stops = [
      log.tail.onPush((entries) => {
        for (const entry of entries) if (isHubs(entry) && concerns(entry.topics[0])) this.#take(entry);
      }),
      log.tail.onMiss((topics) => {
        if (topics === undefined || topics.some((topic) => isHubsTopic(topic))) this.#readAnew();
      }),
      log.tail.onRewind(() => this.#rewind()),
    ];
    this.#stop = () => {
      for (const stop of stops) stop();
    };
    if (log.tail.head === 0) this.#finish([], new Map());
    else this.#readAnew();
  }

  stop(): void {
    this.#stopped = true;
    this.#stop();
  }

  #take(entry: LogEntry): void {
    if (this.#waiting === undefined) this.#apply(entry);
    else this.#waiting.push(entry);
  }

  #apply(entry: LogEntry): void {
    for (const reader of this.#readers) reader.apply(entry);
  }

  #rewind(): void {
    // They may be of the lost end.
    this.#waiting = [];
    this.#isRewound = true;
    this.#readAnew();
  }

  /** In a later turn: the log is about to push, or to go back. */
  #readAnew(): void {
    this.#waiting ??= [];
    this.#reading += 1;
    const reading = this.#reading;
    this.#options.clock.defer(() => {
      if (reading === this.#reading) this.#tryToRead(reading);
    });
  }

  #tryToRead(reading: number): void {
    this.#readAll(reading).catch((error: unknown) => {
      if (this.#stopped || reading !== this.#reading) return;
      this.#options.report(error);
      this.#options.clock.setTimer(() => this.#tryToRead(reading), RETRY, true);
    });
  }

  async #readAll(reading: number): Promise<void> {
    const { log, presence } = this.#options;
    await log.catchUp();
    const matchers = hubMatchers(presence);
    const wants = ({ topics }: LogEntry): boolean => matchers.matches(topics);
    const entries: LogEntry[] = [];
    const known = new Map<string, number>();
    const until = log.tail.head;
    for (let after = 0; after < until;) {
      const page = await log.read({ after, wants, matchers, limit: PAGE, snapshot: true });
      if (this.#stopped || reading !== this.#reading) return;
      for (const entry of page.entries) {
        entries.push(entry);
        known.set(placeOf(entry), entry.seq);
      }
      after = Math.max(after + 1, page.next);
    }
    // A value may have been replaced while its page was read: then the newer one is in the log, and comes now.
    await log.catchUp();
    if (this.#stopped || reading !== this.#reading) return;
    this.#finish(entries, known);
  }

  /** A node more or less may mean a hundred thousand entries: they are applied in slices, and new ones wait meanwhile. */
  #finish(entries: readonly LogEntry[], known: ReadonlyMap<string, number>): void {
    const reading = this.#reading;
    for (const reader of this.#readers) reader.reset();
    const waiting = (this.#waiting ??= []);
    inSlices(this.#options.clock, inOrder(entries, waiting, known), {
      work: (entry) => this.#apply(entry),
      most: STEP,
      isOver: () => this.#stopped || reading !== this.#reading,
      done: () => this.#end(),
    });
  }

  #end(): void {
    this.#waiting = undefined;
    const isRewound = this.#isRewound;
    this.#isRewound = false;
    for (const reader of this.#readers) reader.loaded?.(isRewound);
    this.#isReady = true;
    this.#onReady();
  }
}

/** Entries of the log, and those that came since, of which some were in the log already when it was read. */
function* inOrder(
  entries: readonly LogEntry[],
  waiting: readonly LogEntry[],
  known: ReadonlyMap<string, number>,
): Generator<LogEntry> {
  yield* entries;
  // More may come while it goes on.
  for (const entry of waiting) if (entry.seq > (known.get(placeOf(entry)) ?? 0)) yield entry;
}

function placeOf({ topics, key }: LogEntry): string {
  return `${topics[0]}\n${key}`;
}
