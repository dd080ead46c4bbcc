import type { Hub } from '../hub/hub.ts';
import type { RunsGateway } from '../hub/runs-gateway.ts';
import type { LogEntry } from '../log/entry.ts';
import type { EventInput } from '../protocol/event.ts';
import { type RunName, STOPS, WATCHES, chatKeyOf, chatTopicOf } from './names.ts';
import { LOST } from './frames.ts';
import { Lease } from './lease.ts';
import { lostOfRuns } from './lost-end.ts';
import { OpenRuns, responsibleFor } from './open-runs.ts';
import type { ResolvedRunsOptions } from './options.ts';
import { type Ending, type Produce, Producer, ttlOfChunks } from './producer.ts';
import { handOver } from './hand-over.ts';
import { type RunRecord, type StoredRecord, currentOf } from './record.ts';
import { Records, isConflict, tooMany } from './records.ts';
import { type Viewer, Viewers } from './viewers.ts';

/** A run that waits for its record. */
interface BeginningRun {
  readonly chatKey: string;
  readonly producer: Producer;
  /** The log's head when it was asked for: of the chat's stops, only later ones are meant for it. */
  readonly askedAt: number;
}

/** A run that this process produces. */
interface OwnRun extends BeginningRun {
  stored: StoredRecord;
  /** Settles once the log has again what it lost of the run. */
  restored: Promise<unknown>;
  /** The clock's monotonic time when somebody last watched it. */
  watchedAt: number;
}

/** Milliseconds until something that failed is tried again. */
const RETRY = 1000;
const MAX_SWEEP = 1000;
/** Milliseconds that the log has for the ends of runs at closing. */
const GIVE_UP = 2000;

/**
 * All that a process does for runs besides answering requests: it produces its own, notices when nobody watches them or they
 * take too long, tells the others that it is alive, and takes care of runs whose process died.
 */
export class Producers {
  readonly lease: Lease;
  readonly records: Records;
  readonly open: OpenRuns;
  readonly viewers: Viewers = new Viewers();
  readonly #hub: Hub;
  readonly #gateway: RunsGateway;
  readonly #options: ResolvedRunsOptions;
  readonly #own = new Map<string, OwnRun>();
  readonly #beginning = new Map<string, BeginningRun>();
  /** Answers that are being given to `onEnd`. */
  readonly #handingOver = new Set<string>();
  /** Those of them that `onEnd` has taken, which the log has yet to know. */
  readonly #taken = new Set<string>();
  /** When this process last said that it watches a run of another one. */
  readonly #saidWatched = new Map<string, number>();
  readonly #sweepEvery: number;
  #cancelSweep: (() => void) | undefined;
  readonly #retries = new Set<() => void>();
  readonly #stopRestoring: () => void;
  #isClosed = false;
  #onIdle: (() => void) | undefined;

  constructor(hub: Hub, gateway: RunsGateway, options: ResolvedRunsOptions) {
    this.#hub = hub;
    this.#gateway = gateway;
    this.lease = new Lease(gateway, options.clock, options.lease);
    this.#options = options;
    const { keep, maxDuration, abandonAfter, lease, heartbeat, clock } = options;
    this.records = new Records(
      gateway,
      () => this.open,
      ({ endedAt }) =>
        endedAt === undefined ? maxDuration + 3 * lease : Math.max(1, endedAt + keep - clock.now()),
    );
    this.#sweepEvery = Math.max(
      10,
      Math.min(MAX_SWEEP, maxDuration / 4, abandonAfter / 4, lease / 4, heartbeat / 2),
    );
    const events = {
      onRecord: (stored: StoredRecord) => this.#onRecord(stored),
      onStop: (key: string, seq: number) => this.#onStop(key, seq),
      onWatched: (key: string) => this.#watched(key),
      onOrphan: (stored: StoredRecord) => this.#takeIn(stored),
      isProduced: (key: string) => this.#own.has(key) || this.#beginning.has(key),
      onError: options.onError,
    };
    this.#stopRestoring = gateway.log.tail.onRewind((_end, lost) => this.#restore(lost));
    this.open = new OpenRuns(
      hub,
      () => gateway.closing,
      this.lease.owner,
      () => this.lease.isAlone,
      events,
      (task, delay) => clock.setTimer(task, delay, true),
    );
  }

  /** Whether there is such a run. A log that lost its record is about to get it again from the process that produces it. */
  isThere(key: string): boolean {
    return this.open.has(key) || this.#own.has(key);
  }

  /** How many runs of the subject are running, here and elsewhere. */
  countOf(subject: string): number {
    let unseen = 0;
    for (const [key, { stored }] of this.#own)
      if (stored.record.subject === subject && this.open.get(key) === undefined) unseen += 1;
    return this.open.countOf(subject) + unseen;
  }

  /**
   * Begins the run, unless there is one already. If nobody else can begin it, the model is asked while the log still
   * writes the record: that hides the write behind the time that the model takes anyway.
   */
  async start(name: RunName, subject: string | undefined, produce: Produce): ReturnType<Records['begin']> {
    const { clock } = this.#options;
    const { key } = name;
    const producer = new Producer(this.#gateway, name, this.#options, (ending) => this.#settle(key, ending));
    const beginning = { chatKey: name.chatKey, producer, askedAt: this.#gateway.log.tail.head };
    const isEarly = this.lease.isAlone && this.open.lacks(key);
    if (this.open.isToStop(key)) producer.end({ status: 'stopped' });
    else if (isEarly) producer.start(produce);
    this.#beginning.set(key, beginning);
    const begun = await this.#begin(name, subject)
      .then((found) => this.#admit(found))
      .finally(() => void this.#beginning.delete(key))
      .catch((error: unknown) => {
        producer.discard();
        this.#checkIdle();
        throw error;
      });
    const { isNew, stored } = begun;
    if (!isNew || stored === undefined) {
      producer.discard();
      this.#checkIdle();
      return begun;
    }
    const [watchedAt, restored] = [clock.monotonic(), Promise.resolve()];
    this.#own.set(key, { ...beginning, stored, watchedAt, restored });
    // A stop by another process that this one read just before the record.
    if (this.open.isToStop(key)) producer.end({ status: 'stopped' });
    if (!isEarly) producer.start(produce);
    producer.recorded();
    this.#sweepSoon();
    return begun;
  }

  /**
   * Of starts at the same moment in several processes, none knows of the others; the log's order decides.
   *
   * @throws {TidingsError} `limit/runs`; then the run's record is removed again.
   */
  async #admit(begun: Awaited<ReturnType<Records['begin']>>): ReturnType<Records['begin']> {
    const { isNew, stored } = begun;
    const { subject } = stored?.record ?? {};
    if (!isNew || stored === undefined || subject === undefined || this.lease.isAlone) return begun;
    await this.open.sees(stored);
    const { perSubject } = this.#options;
    if (this.open.countOf(subject, stored.seq) < perSubject) return begun;
    await this.#remove(stored);
    throw tooMany(perSubject);
  }

  /** Tried again until the log takes it: a record that stays is an answer being written, by nobody. */
  async #remove(stored: StoredRecord): Promise<void> {
    try {
      await this.records.remove(stored);
    } catch (error) {
      // Another process has taken it for an orphan.
      if (isConflict(error)) return;
      this.#options.onError(error);
      this.#later(RETRY, () => void this.#remove(stored));
    }
  }

  /** In the same group as the record goes what says that this process is alive, if it has to be said. */
  async #begin(name: RunName, subject: string | undefined): ReturnType<Records['begin']> {
    const { events, done } = this.lease.renewal();
    const record = {
      chat: name.chat,
      id: name.id,
      ...(subject !== undefined && { subject }),
      messageId: crypto.randomUUID(),
      owner: this.lease.owner,
      status: 'running',
      startedAt: this.#options.clock.now(),
    } as const;
    const begun = await this.records.begin(record, events);
    if (begun.isNew) done();
    return begun;
  }

  /** @returns whether the run is this process's. */
  stop(key: string): boolean {
    const run = this.#own.get(key);
    (run ?? this.#beginning.get(key))?.producer.end({ status: 'stopped' });
    return run !== undefined;
  }

  /**
   * Asks the process that produces the run, whichever it is, to stop it; also if the run is still to begin. With the key of
   * a chat: whatever is being begun or written there now.
   */
  async askToStop(key: string): Promise<void> {
    await this.#publish({ topics: STOPS, key, ttl: this.#options.lease });
  }

  /** Stops the chat's current run, and whatever is being begun there, here or elsewhere. */
  async stopChat(chat: string): Promise<void> {
    const chatKey = chatKeyOf(chat);
    for (const run of this.#beginning.values())
      if (run.chatKey === chatKey) run.producer.end({ status: 'stopped' });
    const current = currentOf(await this.open.ofChat(chatTopicOf(chat)));
    if (current?.record.status === 'running') await this.stopRun(current.name.key);
    else if (!this.lease.isAlone) await this.askToStop(chatKey);
  }

  /** Stops a run. If there is none of this name, one that begins soon is stopped then. */
  async stopRun(key: string): Promise<void> {
    if (this.stop(key)) return;
    const found = await this.open.find(key);
    if (found === undefined || found.record.status === 'running') await this.askToStop(key);
  }

  #onStop(key: string, seq: number): void {
    if (key.includes('/')) return void this.stop(key);
    for (const run of [...this.#beginning.values(), ...this.#own.values()])
      if (run.chatKey === key && run.askedAt < seq) run.producer.end({ status: 'stopped' });
  }

  /** Somebody watches the run in this process. @returns what to call when that is over. */
  watch(
    stored: StoredRecord,
    { beat, end }: Pick<Viewer, 'beat' | 'end'>,
  ): { readonly wrote: () => void; readonly over: () => void } {
    const { clock } = this.#options;
    const { key } = stored.name;
    const viewer = { beat, end, wroteAt: clock.monotonic() };
    const leave = this.viewers.add(key, viewer);
    this.#watched(key);
    if (stored.record.status === 'running') this.#sayWatched(key);
    this.#sweepSoon();
    return {
      wrote: () => void (viewer.wroteAt = clock.monotonic()),
      over: () => {
        leave();
        this.#watched(key);
      },
    };
  }

  /** Ends the own runs: those that are still running after `within` milliseconds are `lost`. */
  async close(within: number): Promise<void> {
    if (this.#isClosed) return;
    const { clock } = this.#options;
    const idle = new Promise<void>((resolve) => (this.#onIdle = resolve));
    const cancel = clock.setTimer(() => {
      for (const { producer } of this.#own.values()) producer.end({ status: 'lost', error: LOST });
    }, within);
    // A log that takes nothing must not keep the app from closing.
    const giveUp = clock.setTimer(() => this.#onIdle?.(), within + GIVE_UP);
    this.#checkIdle();
    await idle;
    cancel();
    giveUp();
    this.#isClosed = true;
    this.open.close();
    this.#stopRestoring();
    this.#cancelSweep?.();
    for (const stop of this.#retries) stop();
    for (const [key, { producer }] of this.#own) {
      producer.end({ status: 'lost', error: LOST });
      this.#own.delete(key);
    }
    await this.lease.end().catch((error: unknown) => {
      // With its log closed, the lease runs out by itself.
      if (!this.#gateway.closing) throw error;
    });
  }

  #checkIdle(): void {
    if (this.#own.size + this.#handingOver.size + this.#beginning.size === 0) this.#onIdle?.();
  }

  /** Writes down how a run ended; tried again until the log takes it. */
  #settle(key: string, ending: Ending, endedAt: number = this.#options.clock.now()): void {
    const run = this.#own.get(key);
    if (run === undefined) return;
    const { clock, keep, lease, onEnd, onError } = this.#options;
    const end = { ...ending, endedAt, length: run.producer.position };
    const change = (present: RunRecord): RunRecord | undefined =>
      present.status === 'running' && present.owner === this.lease.owner
        ? { ...present, ...end, ...(onEnd !== undefined && { handedOver: false }) }
        : undefined;
    const settling = run.restored.then(() => this.records.change(run.stored, change));
    settling.then(
      (stored) => {
        this.#own.delete(key);
        if (stored?.record.handedOver === false) this.#handOver(stored);
        this.#checkIdle();
      },
      (error: unknown) => {
        onError(error);
        const passed = clock.now() - endedAt;
        // The log may be gone for good. The viewers here need not wait for it.
        if (passed >= lease) this.viewers.end(key, { ...run.stored.record, ...end });
        if (passed < keep) this.#later(RETRY, () => this.#settle(key, ending, endedAt));
        else this.#own.delete(key);
      },
    );
  }

  /**
   * The log has lost its end, and goes on without it. It gets again what it lost of this process's runs, as it was: viewers
   * know chunks by their position.
   */
  #restore(entries: readonly LogEntry[]): void {
    const { onError } = this.#options;
    const lost = lostOfRuns(entries, ttlOfChunks(this.#options));
    if (lost.owners.has(this.lease.owner)) this.lease.forget();
    for (const [key, run] of this.#own) {
      const chunks = lost.chunks.get(run.stored.name.topic) ?? [];
      const appended = chunks.map((event) => Promise.resolve().then(() => this.#gateway.append(event)));
      if (chunks.length > 0) run.restored = Promise.all([run.restored, ...appended]).catch(onError);
      if (lost.records.has(key)) this.#restoreRecord(run);
    }
  }

  #restoreRecord(run: OwnRun): void {
    const isRunning = (present: RunRecord): RunRecord | undefined =>
      present.status === 'running' ? present : undefined;
    this.lease
      .renew()
      .then(() => this.records.change(run.stored, isRunning))
      .then((stored) => void (run.stored = stored ?? run.stored))
      .catch(this.#options.onError);
  }

  /** The run was ended by another process, which took this one for dead. */
  #onRecord({ name, record }: StoredRecord): void {
    const run = this.#own.get(name.key);
    if (run === undefined || record.status === 'running') return;
    run.producer.end({ status: record.status });
  }

  #watched(key: string): void {
    const run = this.#own.get(key);
    if (run !== undefined) run.watchedAt = this.#options.clock.monotonic();
  }

  /** A process died: whichever gets to it first sees to its runs. */
  #takeIn(orphan: StoredRecord): void {
    const { clock, onEnd, onError } = this.#options;
    const { key } = orphan.name;
    if (this.#isClosed || this.#own.has(key) || this.#handingOver.has(key)) return;
    if (orphan.record.status !== 'running' && onEnd === undefined) return;
    const { owner, handingOver } = orphan.record;
    this.lease
      .renew()
      .then(() =>
        this.records.change(orphan, (present) => {
          if (present.owner !== owner || present.handingOver !== handingOver || this.#own.has(key))
            return undefined;
          const taken = onEnd === undefined ? {} : { handingOver: this.lease.owner, handedOver: false };
          if (present.status === 'running')
            return { ...present, status: 'lost', error: LOST, endedAt: clock.now(), ...taken };
          return present.handedOver === false ? { ...present, ...taken } : undefined;
        }),
      )
      .then((stored) => {
        if (stored?.record.handedOver === false) this.#handOver(stored);
      })
      .catch(onError);
  }

  /** Gives the answer to the app. Until it has taken it, this process keeps the answer's lease. */
  #handOver(stored: StoredRecord): void {
    const { key } = stored.name;
    if (this.#handingOver.has(key)) return;
    this.#handingOver.add(key);
    this.#sweepSoon();
    this.#tryHandOver(stored).then(
      () => this.#handedOver(key),
      (error: unknown) => {
        const { clock, keep, lease, onError } = this.#options;
        onError(error);
        const { endedAt = 0 } = stored.record;
        if (clock.now() - endedAt >= keep || this.#onIdle !== undefined) return this.#handedOver(key);
        this.#later(lease, () => {
          this.#handingOver.delete(key);
          this.#handOver(stored);
        });
      },
    );
  }

  async #tryHandOver({ name, record }: StoredRecord): Promise<void> {
    const present = await this.open.find(name.key);
    const isOurs = (each: RunRecord | undefined): boolean =>
      each?.handedOver === false &&
      each.startedAt === record.startedAt &&
      responsibleFor(each) === this.lease.owner;
    if (present === undefined || !isOurs(present.record)) return;
    // The app has it, if only the log failed to take that down.
    if (!this.#taken.has(name.key))
      await handOver(this.#gateway, present, this.#options.onEnd, () => this.isThere(name.key));
    this.#taken.add(name.key);
    await this.records.change(present, (each) => (isOurs(each) ? { ...each, handedOver: true } : undefined));
  }

  #handedOver(key: string): void {
    this.#handingOver.delete(key);
    this.#taken.delete(key);
    this.#checkIdle();
  }

  async #publish(event: Omit<EventInput, 'data'>): Promise<void> {
    await this.#gateway.publish([{ ...event, data: null, private: true }]);
  }

  #sayWatched(key: string): void {
    const { clock, abandonAfter, onError } = this.#options;
    const now = clock.monotonic();
    if (this.#own.has(key) || abandonAfter === Infinity) return;
    if (now - (this.#saidWatched.get(key) ?? -Infinity) < abandonAfter / 3) return;
    this.#saidWatched.set(key, now);
    this.#publish({ topics: WATCHES, key, ttl: abandonAfter }).catch(onError);
  }

  #sweepSoon(): void {
    if (this.#isClosed) return;
    this.#cancelSweep ??= this.#options.clock.setTimer(() => this.#sweep(), this.#sweepEvery, true);
  }

  #sweep(): void {
    this.#cancelSweep = undefined;
    const { clock, heartbeat, onError } = this.#options;
    const now = clock.monotonic();
    for (const [key, run] of this.#own) this.#check(key, run, now);
    for (const key of this.#saidWatched.keys()) if (!this.viewers.watch(key)) this.#saidWatched.delete(key);
    for (const key of this.viewers.watched)
      if (this.open.get(key)?.record.status === 'running') this.#sayWatched(key);
    this.viewers.beat(now - heartbeat + this.#sweepEvery, now);
    if (this.#own.size > 0 || this.#handingOver.size > 0) this.lease.renew().catch(onError);
    if (this.#own.size > 0 || this.#handingOver.size > 0 || this.viewers.size > 0) this.#sweepSoon();
  }

  #check(key: string, run: OwnRun, now: number): void {
    const { abandonAfter, maxDuration } = this.#options;
    if (this.viewers.watch(key) || this.#hub.watchers(run.stored.name.topic) > 0) run.watchedAt = now;
    if (now - run.producer.startedAt >= maxDuration) {
      const text = `A run may take ${maxDuration} ms.`;
      run.producer.end({ status: 'failed', error: { code: 'run/too-long', text } });
    } else if (now - run.watchedAt >= abandonAfter) run.producer.end({ status: 'abandoned' });
  }

  #later(delay: number, task: () => void): void {
    const cancel = this.#options.clock.setTimer(
      () => {
        this.#retries.delete(cancel);
        if (!this.#isClosed) task();
      },
      delay,
      true,
    );
    this.#retries.add(cancel);
  }
}
