import type { Hub } from '../hub/hub.ts';
import type { Item } from '../hub/delivery/items.ts';
import { OWNERS, RECORDS, STOPS, WATCHES } from './names.ts';
import { RECORD_TYPE, type RunRecord, type StoredRecord } from './record.ts';
import { closing, storedOf } from './records.ts';

export interface OpenRunsEvents {
  /** A record was begun or changed. */
  onRecord(stored: StoredRecord): void;
  /** Somebody asks to stop a run, or a chat's, by an event with this seq. */
  onStop(key: string, seq: number): void;
  /** The run has viewers on another process. */
  onWatched(key: string): void;
  /** The process that produced this run, or handed its answer over, is gone. */
  onOrphan(stored: StoredRecord): void;
  /** Whether this process produces the run, or is beginning to. */
  isProduced(key: string): boolean;
  onError(error: unknown): void;
}

/** Milliseconds until a subscription that failed is made again. */
const RETRY = 500;
/** Milliseconds that a record which the log has may take to arrive. */
const PATIENCE = 5000;

interface Waiter {
  readonly key: string;
  readonly check: () => void;
  readonly finish: () => void;
}

/**
 * Follows the runs of all processes: their records in the order of the log, which are open (running, or ended with an answer that nobody has taken yet), and
 * which of them have lost their process. Each process has a key on the topic of owners, which expires with it.
 *
 * A record is looked up here and not in a snapshot: while its value changes, a snapshot may have neither the old value
 * nor the new one.
 */
export class OpenRuns {
  readonly #hub: Hub;
  readonly #isClosing: () => boolean;
  readonly #self: string;
  readonly #isAlone: () => boolean;
  readonly #events: OpenRunsEvents;
  readonly #setTimer: (task: () => void, delay: number) => () => void;
  readonly #controller = new AbortController();
  readonly #records = new Map<string, StoredRecord>();
  /** The runs of each chat. */
  readonly #chats = new Map<string, Set<string>>();
  readonly #open = new Map<string, StoredRecord>();
  readonly #waiters = new Set<Waiter>();
  readonly #owners = new Set<string>();
  /** Keys that somebody asked to stop lately. */
  readonly #stops = new Set<string>();
  /** The seq of the newest record that came as an event. */
  #readTo = 0;
  /** Whether the snapshot is complete: only then can a missing owner be told from one that is still to come. */
  #isCaughtUp = false;
  #cancelRetry: (() => void) | undefined;

  /**
   * @param isClosing whether the hub is closed, or being closed.
   * @param self the process's own name as an owner: it may note a run before its own lease comes back from the log.
   * @param isAlone whether nobody else can produce runs on the log.
   */
  constructor(
    hub: Hub,
    isClosing: () => boolean,
    self: string,
    isAlone: () => boolean,
    events: OpenRunsEvents,
    setTimer: (task: () => void, delay: number) => () => void,
  ) {
    this.#hub = hub;
    this.#isClosing = isClosing;
    this.#self = self;
    this.#isAlone = isAlone;
    this.#events = events;
    this.#setTimer = setTimer;
    void this.#follow();
  }

  /** Whether the log is sure to have no such run, as far as this process's part of it goes. */
  lacks(key: string): boolean {
    return this.#isCaughtUp && !this.#records.has(key);
  }

  get(key: string): StoredRecord | undefined {
    return this.#open.get(key);
  }

  has(key: string): boolean {
    return this.#records.has(key);
  }

  /** Whether somebody asked lately to stop this run, which may be still to begin. */
  isToStop(key: string): boolean {
    return this.#stops.has(key);
  }

  /** @throws {TidingsError} `hub/unavailable` once the hub or the runs are closed. */
  async find(key: string): Promise<StoredRecord | undefined> {
    await this.#untilCaughtUp();
    return this.#records.get(key);
  }

  async ofChat(chatTopic: string): Promise<readonly StoredRecord[]> {
    await this.#untilCaughtUp();
    return Array.from(this.#chats.get(chatTopic) ?? [], (key) => this.#records.get(key) as StoredRecord);
  }

  /** The record once it is at `seq` or beyond, or gone after it was there; undefined if that takes too long. */
  async reaches(key: string, seq: number): Promise<StoredRecord | undefined> {
    await this.#until(key, () => (this.#records.get(key)?.seq ?? -1) >= seq, PATIENCE);
    return this.#records.get(key);
  }

  /** Resolves once everything before the record has been read, or if that takes too long. */
  async sees({ name, seq }: StoredRecord): Promise<void> {
    await this.#until(name.key, () => this.#readTo >= seq, PATIENCE);
  }

  /** Takes a record that this process has published, before the log brings it back. */
  note(stored: StoredRecord): void {
    if ((this.#records.get(stored.name.key)?.seq ?? -1) < stored.seq)
      this.#takeRecord(stored.name.key, stored);
    this.#changed(stored.name.key);
  }

  async #untilCaughtUp(): Promise<void> {
    await this.#until('', () => this.#isCaughtUp);
    if (!this.#isCaughtUp || this.#isOver) throw closing();
  }

  get #isOver(): boolean {
    return this.#controller.signal.aborted || this.#isClosing();
  }

  /** Resolves without it at the end. */
  #until(key: string, isTrue: () => boolean, patience = Infinity): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        cancel?.();
        this.#waiters.delete(waiter);
        resolve();
      };
      const check = (): void => {
        if (isTrue() || this.#isOver) finish();
      };
      const waiter = { key, check, finish };
      const cancel = patience === Infinity ? undefined : this.#setTimer(finish, patience);
      this.#waiters.add(waiter);
      waiter.check();
    });
  }

  #changed(key: string): void {
    for (const waiter of this.#waiters) if (waiter.key === key) waiter.check();
  }

  /** How many runs of the subject are running, in all processes; of those whose records come before `end`. */
  countOf(subject: string, end: number = Infinity): number {
    let count = 0;
    for (const { record, seq } of this.#open.values())
      if (record.subject === subject && record.status === 'running' && seq < end) count += 1;
    return count;
  }

  /** The runs whose process is gone. Where nobody else can be there, leases that have yet to expire say nothing. */
  get orphans(): readonly StoredRecord[] {
    if (!this.#isCaughtUp) return [];
    const isAlone = this.#isAlone();
    return [...this.#open.values()].filter(({ name, record }) => {
      const owner = responsibleFor(record);
      // Its end was lost, with the end of the log.
      if (owner === this.#self) return record.status === 'running' && !this.#events.isProduced(name.key);
      return isAlone || !this.#owners.has(owner);
    });
  }

  close(): void {
    this.#controller.abort();
    this.#cancelRetry?.();
    this.#release();
  }

  #release(): void {
    for (const { finish } of this.#waiters) finish();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#controller;
    try {
      this.#isCaughtUp = false;
      for await (const item of this.#hub.subscribe([RECORDS, OWNERS, STOPS, WATCHES], { signal })) {
        // Without what retention took, a snapshot is needed.
        if (item.kind === 'gap') return void this.#follow();
        this.#take(item);
      }
      this.#release();
    } catch (error) {
      if (this.#isOver) return this.#release();
      this.#events.onError(error);
      this.#cancelRetry = this.#setTimer(() => void this.#follow(), RETRY);
    }
  }

  #take(item: Item): void {
    if (item.kind === 'start') {
      this.#open.clear();
      this.#records.clear();
      this.#chats.clear();
      this.#owners.clear();
      this.#stops.clear();
    }
    if (item.kind === 'cursor' || (item.kind === 'start' && item.cursor !== undefined)) this.#caughtUp();
    if (item.kind !== 'state' && item.kind !== 'event') return;
    const { key = '', topics, tombstone, type } = item;
    if (type === RECORD_TYPE) {
      if (item.kind === 'event') this.#readTo = item.seq;
      if (tombstone) this.#forget(key);
      else this.#takeRecord(key, storedOf(item));
      this.#changed(key);
    } else if (topics[0] === OWNERS) {
      if (tombstone) this.#ownerGone(key);
      else this.#owners.add(key);
    } else if (topics[0] === STOPS) {
      if (tombstone) return void this.#stops.delete(key);
      this.#stops.add(key);
      this.#events.onStop(key, item.seq);
    } else if (!tombstone && topics[0] === WATCHES) this.#events.onWatched(key);
  }

  #forget(key: string): void {
    const stored = this.#records.get(key);
    this.#open.delete(key);
    this.#records.delete(key);
    if (stored === undefined) return;
    const { chatTopic } = stored.name;
    const keys = this.#chats.get(chatTopic);
    keys?.delete(key);
    if (keys?.size === 0) this.#chats.delete(chatTopic);
  }

  #takeRecord(key: string, stored: StoredRecord): void {
    if ((this.#records.get(key)?.seq ?? -1) >= stored.seq) return;
    const { status, handedOver } = stored.record;
    const { chatTopic } = stored.name;
    this.#records.set(key, stored);
    const keys = this.#chats.get(chatTopic);
    if (keys === undefined) this.#chats.set(chatTopic, new Set([key]));
    else keys.add(key);
    if (status === 'running' || handedOver === false) this.#open.set(key, stored);
    else this.#open.delete(key);
    this.#events.onRecord(stored);
  }

  #caughtUp(): void {
    if (this.#isCaughtUp) return;
    this.#isCaughtUp = true;
    this.#changed('');
    for (const stored of this.orphans) this.#events.onOrphan(stored);
  }

  #ownerGone(owner: string): void {
    this.#owners.delete(owner);
    for (const stored of this.#open.values())
      if (responsibleFor(stored.record) === owner) this.#events.onOrphan(stored);
  }
}

/** The process that has to see to the run. */
export function responsibleFor({ owner, handingOver }: RunRecord): string {
  return handingOver ?? owner;
}
