import type { Gap, Goodbye, GoodbyeReason, Welcome } from '../../protocol/control.ts';
import { createError } from '../../protocol/errors.ts';
import { type Cursor, formatCursor } from '../../protocol/cursor.ts';
import { createMatcherSet, includes } from '../../protocol/matcher-set.ts';
import type { Member } from '../presence/presence.ts';
import type { ConnectionTerms, ConnectRequest } from '../connect-request.ts';
import type { ConnectionEnd, ConnectionInfo, ConnectionPhase } from '../connection-info.ts';
import type { EndReason, Tally } from '../tally.ts';
import type { Batch } from './batch.ts';
import type { FanOut } from './fan-out.ts';
import type { Format } from './format.ts';
import type { Outage } from './outage.ts';
import { Reader, type Reading } from './reader.ts';
import { type Replay, type ReplaySource, boundReplay } from './replay.ts';
import { type Lost, type Verdict, judge } from './resume.ts';
import type { Output, OutputSink } from './sink.ts';
import { type Receiver, type Subscription, type Subscriptions, wants } from './subscription.ts';
import type { Tuning } from './tuning.ts';
import type { Task } from './turns.ts';

/** Where a stream begins. */
export interface Beginning {
  /** Everything that matches and comes after it follows. */
  readonly cursor: string;
  /** True if the request had a cursor and every event after it follows. */
  readonly resumed: boolean;
  readonly gaps: readonly Gap[];
}

/** The parts that all connections of a hub share. */
export interface Delivery extends ReplaySource {
  readonly subscriptions: Subscriptions;
  readonly fanOut: FanOut;
  readonly tuning: Tuning;
  readonly outage: Outage<Connection>;
  readonly counters: { delivered: number; bytes: number };
  readonly tally: Tally;
  readonly lostEnds: Pick<Lost, 'whenKnown'> & {
    isConcerned(cursor: Cursor, subscription: Subscription): boolean;
  };
  readonly heartbeat: number;
  readonly retry: number;
  /** Takes a failure that no caller waits for. */
  report(error: unknown): void;
  /** Removes the connection from the hub. */
  forget(connection: Connection): void;
}

const NONE: readonly never[] = [];

/** The connection that is being written to, if it isn't by a push. */
let writing: Connection | undefined;

/**
 * A cursor on the log. While `live`, it has every event and fan-out pushes to it. Once the peer's buffer is full,
 * only the cursor is kept: at `drained` a reader goes on from there until it is at the head again.
 *
 * Longer than other files because the whole hand-over between reading and being pushed to should be in one view.
 */
export class Connection implements Receiver, Task {
  // In the order of these lines they lie in memory: a push touches the first two alone (`fanout`).
  order = 0;
  #sink: OutputSink | undefined;
  readonly id: string;
  /** Unguessable: knowing it authorizes changes of the connection. Only its client receives it. */
  readonly secret: string = crypto.randomUUID();
  /** Milliseconds since 1970. */
  readonly connectedAt: number;
  /** The clock's monotonic time. */
  readonly admittedAt: number;
  /** When the peer stopped accepting pending bytes; undefined while none are pending. */
  blockedAt: number | undefined;
  readonly #delivery: Delivery;
  #request: ConnectRequest;
  #subscription: Subscription;
  #phase: ConnectionPhase = 'opening';
  /** While it is `opening` or `behind`. While it is `live`, the fan-out knows its exact cursor. */
  #reader: Reader | undefined;
  /** Was read by the reader, and is to be written when it is the connection's turn. */
  #reading: Reading | undefined;
  /** Whether the peer knows that its authorization is about to expire. */
  #toldExpiry = false;
  /** Bytes of frames, events, and when the newest were written, without those pushed since it went live. */
  #bytes = 0;
  #events = 0;
  #wroteAt: number;
  /** The subscription's `pushed` when it went live. */
  #pushedBefore = 0;
  #pushedEventsBefore = 0;
  /** Undefined until the hub ends it. */
  #endReason: EndReason | undefined;
  #closeListeners: readonly ((end: ConnectionEnd) => void)[] = NONE;
  /** Where it begins, if that was asked for before it opened. */
  #verdict: Promise<Verdict> | undefined;

  /** `userAgent`: the request's, as a text that connections share. */
  constructor(
    id: string,
    request: ConnectRequest,
    delivery: Delivery,
    format: Format,
    userAgent: string | undefined = request.userAgent,
  ) {
    this.id = id;
    this.#delivery = delivery;
    this.#subscription = delivery.subscriptions.join(request.wanted, request.granted, format);
    this.#request = toShared(request, this.#subscription, userAgent);
    this.#reader = new Reader(delivery, 0);
    this.connectedAt = delivery.clock.now();
    this.admittedAt = delivery.clock.monotonic();
    this.#wroteAt = this.admittedAt;
  }

  get request(): ConnectRequest {
    return this.#request;
  }

  get member(): Member {
    const { member, subject } = this.#request;
    return member ?? { id: subject ?? this.id };
  }

  get format(): Format {
    return this.#subscription.format;
  }

  get phase(): ConnectionPhase {
    return this.#phase;
  }

  get info(): ConnectionInfo {
    const { subject, remote, userAgent, protocol, wanted } = this.#request;
    const { head } = this.#delivery.log.tail;
    return {
      id: this.id,
      subject,
      remote,
      userAgent,
      protocol,
      topics: wanted.matchers,
      phase: this.#phase,
      lag: this.#phase === 'behind' ? head - (this.#reader?.cursor ?? head) : 0,
      bytes: this.#bytes + this.#pushedBytes,
      connectedAt: this.connectedAt,
    };
  }

  /** The clock's monotonic time when it was last written to. */
  get wroteAt(): number {
    return this.#phase === 'live' ? Math.max(this.#wroteAt, this.#subscription.pushed.at) : this.#wroteAt;
  }

  get #pushedBytes(): number {
    return this.#phase === 'live' ? this.#subscription.pushed.bytes - this.#pushedBefore : 0;
  }

  get #pushedEvents(): number {
    return this.#phase === 'live' ? this.#subscription.pushed.events - this.#pushedEventsBefore : 0;
  }

  get #end(): ConnectionEnd {
    return {
      reason: this.#endReason ?? 'left',
      delivered: this.#events,
      bytes: this.#bytes,
      duration: this.#delivery.clock.monotonic() - this.admittedAt,
    };
  }

  /** Calls `listener` once when the connection is over; at once if it is. */
  onClose(listener: (end: ConnectionEnd) => void): void {
    if (this.#phase === 'closed') listener(this.#end);
    else this.#closeListeners = [...this.#closeListeners, listener];
  }

  /**
   * Starts the stream: welcome, then `greeting` (frames without cursor, for this connection only), then events.
   * Where it begins is settled before this returns, unless the log has to be asked for losses.
   */
  open(sink: OutputSink, greeting: string): void {
    // It may have been ended, or the hub closed, since it was admitted.
    if (this.#phase === 'closed') return sink.destroy();
    this.#sink = sink;
    const located = this.#verdict;
    this.#verdict = undefined;
    const verdict = located ?? this.#judge();
    verdict.then(
      (found) => {
        // The log has lost its end meanwhile. Unless the peer knows the verdict, it can be found anew.
        if (located === undefined && this.#reader?.isBeyond(found.seq) === true) {
          this.#reader.forgetRewind();
          this.open(sink, greeting);
        } else this.#begin(found, greeting);
      },
      (error: unknown) => {
        const isFirst = this.#reader?.failingSince === undefined;
        this.#readFailed(error, () => this.open(sink, greeting));
        // Neither the client nor a proxy should give up an answer that doesn't begin.
        if (isFirst) this.#beatWaiting();
      },
    );
  }

  /**
   * Settles where the stream begins, for a transport that says so in the response's head. Call it before `open`, if at all;
   * the peer may leave meanwhile. Rejects if the log can't be read.
   */
  async locate(): Promise<Beginning> {
    this.#verdict ??= this.#judge();
    const { seq, resumed, gaps } = await this.#verdict;
    return { cursor: formatCursor({ epoch: this.#delivery.log.tail.epoch, seq }), resumed, gaps };
  }

  #judge(): Promise<Verdict> {
    const bound = (after: number): Replay | Promise<Replay> =>
      boundReplay(this.#delivery, this.#subscription, after, () => this.#phase === 'opening');
    const { log, lostEnds } = this.#delivery;
    const lost: Lost = {
      whenKnown: (cursor) => lostEnds.whenKnown(cursor),
      isConcerned: (cursor) => lostEnds.isConcerned(cursor, this.#subscription),
    };
    const verdict = judge(this.#request, log, bound, lost);
    if (this.#subscription.format.snapshot !== undefined) return verdict;
    return verdict.then((found) => ({ ...found, snapshot: false }));
  }

  #begin(verdict: Verdict, greeting: string): void {
    const reader = this.#reader;
    if (this.#phase !== 'opening' || reader === undefined) return;
    this.#phase = 'behind';
    this.#hasRead(reader);
    reader.begin(verdict, this.#subscription.wanted);
    const { heartbeat, retry, tally } = this.#delivery;
    const { resumed, gaps, snapshot } = verdict;
    tally.connected(gaps.length > 0 ? 'gap' : resumed ? 'resumed' : 'new');
    for (const { reason } of gaps) tally.gap(reason);
    const { audience } = this.#request;
    const welcome: Welcome = {
      connection: this.id,
      secret: this.secret,
      resumed,
      gaps,
      heartbeat,
      ...(audience !== undefined && { audience }),
    };
    const cursor = snapshot ? undefined : reader.cursorText;
    this.#write(() => this.#subscription.format.welcome(welcome, retry, cursor, greeting));
    this.#pump();
  }

  /**
   * Changes the connection's topics and its expiry. Events of added topics begin after the cursor that is both in the
   * stream's `tidings:subscribed` event and returned here.
   *
   * @param changed called once it has the new terms, before anything is sent that may close it.
   * @returns the cursor.
   * @throws {TidingsError} `connection/unknown`: it closed meanwhile.
   */
  change(
    { wanted, granted, expiresAt, issuedAt, tokenId }: ConnectionTerms,
    changed: () => void = () => {},
  ): string {
    const { log, subscriptions } = this.#delivery;
    // Events published before the change go to the topics it had before.
    this.#settle();
    // By a transport that throws.
    if (this.#isClosed)
      throw createError('connection/unknown', 'The connection ended meanwhile; connect anew.');
    const before = this.#request.wanted;
    const gained = createMatcherSet(wanted.matchers.filter((matcher) => !includes(before, matcher)));
    const { format } = this.#subscription;
    subscriptions.leave(this.#subscription, this);
    this.#subscription = subscriptions.join(wanted, granted, format);
    this.#request = toShared(
      { ...this.#request, expiresAt, issuedAt, tokenId },
      this.#subscription,
      this.#request.userAgent,
    );
    this.#toldExpiry = false;
    this.#reading = undefined;
    const seq = this.#reader?.cursor ?? log.tail.head;
    if (this.#phase === 'behind') this.#reader?.retarget(wanted, gained, wanted.key === before.key);
    changed();
    this.#pump();
    return formatCursor({ epoch: log.tail.epoch, seq });
  }

  /**
   * Sends an encoded event to this connection alone, after everything that was published before.
   *
   * @returns false if it can't be sent: the connection is over, or too many such events are waiting.
   */
  send(frame: string): boolean {
    this.#settle();
    if (this.#phase === 'ending' || this.#reader === undefined) return false;
    const output = this.#encode(() => this.#subscription.format.alone(frame));
    const isTaken = output !== undefined && this.#reader.post(output);
    this.#pump();
    return isTaken;
  }

  /** Tells the peer once that its authorization ends soon and can be renewed. */
  warnOfExpiry(): void {
    const { expiresAt } = this.#request;
    if (this.#toldExpiry || this.#phase !== 'live' || expiresAt === undefined) return;
    const within = Math.max(0, expiresAt - this.#delivery.clock.now());
    this.#settle();
    if (this.#reader === undefined || !this.#canRead) return;
    this.#toldExpiry = true;
    const { cursorText } = this.#reader;
    this.#write(() => this.#subscription.format.expiring({ within }, cursorText));
    this.#pump();
  }

  /** Sends a live stream's heartbeat with the cursor `seq`, up to which the fan-out is done; or one of a stream that waits. */
  beat(output: Output, seq: number, now: number): void {
    const { fanOut } = this.#delivery;
    this.#beatWaiting();
    // If its subscription is being pushed to, events up to there may be outstanding; and it isn't quiet.
    if (this.#phase !== 'live' || fanOut.isFor(this.#subscription)) return;
    this.#count(output);
    this.#wroteAt = now;
    this.push(output, seq, now);
  }

  /** While the log is out of reach, without a cursor: a gap or a snapshot may be due before the next one. */
  #beatWaiting(): void {
    if (this.#reader?.failingSince === undefined || this.blockedAt !== undefined) return;
    const output = this.#encode(() => this.#subscription.format.heartbeat(undefined));
    if (output !== undefined && output.length > 0) this.#write(() => output);
  }

  push(output: Output, seq: number, now: number): void {
    if (this.#send(output)) return;
    this.#leaveLive(seq);
    this.blockedAt = now;
  }

  /** Puts a live connection behind, at `seq`, up to which it has everything. */
  #leaveLive(seq: number): void {
    if (this.#phase !== 'live') return;
    this.#subscription.live.delete(this);
    this.#bytes += this.#pushedBytes;
    this.#events += this.#pushedEvents;
    this.#wroteAt = this.wroteAt;
    this.#phase = 'behind';
    this.#reader = new Reader(this.#delivery, seq);
  }

  /** A live connection goes on behind, with all that was published so far, as far as its peer takes it. */
  #settle(): void {
    this.#beginSettling()();
  }

  /** The same in two steps: the function returned encodes, and writes to the peer. */
  #beginSettling(): () => void {
    if (this.#phase !== 'live') return () => {};
    const { fanOut, log, counters } = this.#delivery;
    const { settled, pending } = fanOut;
    const { epoch } = log.tail;
    const owed = this.#giveUpOwed();
    this.#leaveLive(settled);
    const reader = this.#reader;
    const subscription = this.#subscription;
    const write = (events: number, encode: () => Output): boolean =>
      this.#write(() => {
        const output = encode();
        counters.delivered += events;
        this.#events += events;
        return output;
      });
    return () => {
      const takesMore = owed === undefined || write(owed.events, () => owed.output);
      if (!takesMore || reader === undefined || this.#isClosed) return;
      reader.cursor = pending.at(-1)?.seq ?? reader.cursor;
      const entries = pending.filter((entry) => wants(subscription, entry));
      if (entries.length > 0) write(entries.length, () => subscription.format.events(entries, epoch, true));
    };
  }

  /** Goes on from the log, because the next push may leave out events that it wants. */
  fallBehind(): void {
    if (this.#phase !== 'live') return;
    const { fanOut, clock } = this.#delivery;
    const owed = this.#giveUpOwed();
    this.#leaveLive(owed === undefined ? fanOut.settled : fanOut.pushed);
    // Not before the tail has moved on.
    clock.defer(() => this.#pump());
  }

  /** Takes back from the counters what the flush under way would have brought. */
  #giveUpOwed(): Batch | undefined {
    const { fanOut, counters } = this.#delivery;
    const owed = this.#phase === 'live' ? fanOut.owedTo(this, this.#subscription) : undefined;
    // Counted for all when the first was reached.
    if (owed?.isGiven !== true) return owed;
    this.#bytes -= owed.output.length;
    this.#events -= owed.events;
    counters.bytes -= owed.output.length;
    counters.delivered -= owed.events;
    return owed;
  }

  /**
   * The log has lost its events after `end`, and the tail is about to go back there; no push is pending. A peer that
   * received some of them gets a gap, and goes on from there. `concerned`: the subscriptions that got any, and the cursor
   * beyond which a peer has; undefined if that is unknown.
   *
   * @returns a function that lets it go on, to be called once the tail has gone back.
   */
  rewind(end: number, concerned: ReadonlyMap<Subscription, number> | undefined): () => void {
    this.#leaveLive(this.#delivery.log.tail.head);
    this.#delivery.subscriptions.pages.drop(this.#subscription);
    this.#subscription.lastStates = undefined;
    this.#subscription.lastReplay = undefined;
    const { log } = this.#delivery;
    const isOpening = this.#phase === 'opening';
    const cursor: Cursor = { epoch: log.tail.epoch, seq: this.#reader?.cursor ?? 0 };
    // Other hubs may know.
    const asks = concerned === undefined && log.shared && !isOpening && cursor.seq > end;
    const received =
      concerned === undefined && !asks ? end : (concerned?.get(this.#subscription) ?? Infinity);
    this.#reader?.rewind(end, received, isOpening);
    const reader = this.#reader;
    if (!asks || reader === undefined) return () => this.#pump();
    reader.asks += 1;
    return () => this.#ask(reader, cursor);
  }

  /** Reads on once it is known whether the peer, which had this cursor, received events that are lost. */
  #ask(reader: Reader, cursor: Cursor): void {
    const { lostEnds } = this.#delivery;
    void lostEnds.whenKnown(cursor).then(() => {
      reader.asks -= 1;
      if (this.#reader !== reader) return;
      if (lostEnds.isConcerned(cursor, this.#subscription)) reader.tellLost();
      this.#pump();
    });
  }

  /** About once a second, for the transport. */
  tend(): void {
    try {
      this.#sink?.tend?.();
    } catch (error) {
      this.fail(error);
    }
  }

  /** For the transport: the peer can take more. */
  drained(): void {
    // After the goodbye a peer has the stall time for everything that is left.
    if (this.#phase === 'ending') return;
    this.blockedAt = undefined;
    this.#reader?.rested();
    // Within a write, whoever wrote goes on; a step in between would go live with terms that are about to change.
    if (writing !== this) this.#pump();
  }

  /** For the transport: the peer is gone. */
  closed(): void {
    if (this.#phase === 'closed') return;
    this.#giveUpOwed();
    this.#bytes += this.#pushedBytes;
    this.#events += this.#pushedEvents;
    this.#phase = 'closed';
    this.#sink = undefined;
    this.#reader = undefined;
    this.#delivery.turns.drop(this);
    this.#delivery.outage.drop(this);
    this.#delivery.subscriptions.leave(this.#subscription, this);
    this.#delivery.forget(this);
    const end = this.#end;
    this.#delivery.tally.ended(end.reason);
    for (const listener of this.#closeListeners) {
      try {
        listener(end);
      } catch (error) {
        this.#delivery.report(error);
      }
    }
  }

  /**
   * Ends the stream with a goodbye that says why and when to come back. A stream that has not begun gets none, because
   * the welcome is always the first frame. `retry` in milliseconds.
   */
  end(reason: GoodbyeReason, retry: number): void {
    this.beginEnd(reason, retry)?.();
  }

  /**
   * The same in two steps, for many connections: from the first on, the peer gets nothing published later. The second, the
   * function returned, takes much longer, since it writes to the peer. Undefined if there is nothing to write.
   */
  beginEnd(reason: GoodbyeReason, retry: number): (() => void) | undefined {
    if (this.#phase === 'ending' || this.#phase === 'closed') return undefined;
    this.#endReason = reason;
    if (this.#phase === 'opening') {
      this.destroy(reason);
      return undefined;
    }
    const isLive = this.#phase === 'live';
    const settle = this.#beginSettling();
    if (this.#isClosed) return undefined;
    const reader = this.#reader;
    this.#phase = 'ending';
    this.#reader = undefined;
    // From now on the peer has the stall time to take the bytes that were sent.
    this.blockedAt = this.#delivery.clock.monotonic();
    return () => {
      if (!this.#isClosed) settle();
      // A client that comes back for the next answer is to come from here, also if the events since were for others.
      const cursor = isLive && reason === 'wait' ? reader?.cursorText : undefined;
      this.#sayGoodbye({ reason, retry: Math.round(retry) }, cursor);
    };
  }

  #sayGoodbye(goodbye: Goodbye, cursor: string | undefined): void {
    if (this.#isClosed) return;
    const output = this.#encode(() => this.#subscription.format.goodbye(goodbye, cursor));
    if (output === undefined) return;
    this.#count(output);
    try {
      this.#sink?.end(output);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Ends the stream at once, without a goodbye. */
  destroy(reason: EndReason = 'failed'): void {
    this.#endReason ??= reason;
    try {
      this.#sink?.destroy();
    } catch (error) {
      this.#delivery.report(error);
    }
    this.closed();
  }

  /** Reads on, in turns with others, until the peer's buffer is full or the head is reached. */
  #pump(): void {
    const reader = this.#reader;
    if (reader === undefined || !this.#canRead) return;
    // At the head there is nothing to read, and no turn to wait for (`resume`).
    const { fanOut, turns } = this.#delivery;
    const isAtHead = this.#reading === undefined && reader.isAt(fanOut.readable);
    if (!isAtHead || this.#join(reader.cursor) !== 'done') turns.take(this);
  }

  /** Asked where the compiler can't know that the phase has changed since it was looked at. */
  get #isClosed(): boolean {
    return this.#phase === 'closed';
  }

  get #canRead(): boolean {
    const { isWaiting, asks } = this.#reader ?? { isWaiting: true, asks: 0 };
    return this.#phase === 'behind' && this.blockedAt === undefined && !isWaiting && asks === 0;
  }

  /** For the fan-out: the flush under way has ended. */
  flushed(): void {
    this.#pump();
  }

  step(): 'more' | 'rest' | 'done' {
    const reader = this.#reader;
    if (reader === undefined || !this.#canRead) return 'done';
    const { fanOut } = this.#delivery;
    const ready = this.#reading;
    if (ready !== undefined) {
      this.#reading = undefined;
      this.#take(ready);
      return this.#canRead ? 'more' : 'done';
    }
    if (reader.rests()) return 'rest';
    if (reader.isAt(fanOut.readable)) return this.#join(reader.cursor);
    const read = this.#encode(() => reader.read(this.#subscription, fanOut.readable));
    if (read === undefined) return 'done';
    if (read instanceof Promise) {
      this.#wait(reader, read);
      return 'done';
    }
    // Without the log: it may still be out of reach.
    this.#take(read);
    return this.#canRead ? 'more' : 'done';
  }

  /** At the head: the next push must begin right after the cursor. */
  #join(cursor: number): 'more' | 'done' {
    const { fanOut } = this.#delivery;
    if (fanOut.isBusy) {
      fanOut.whenDone(this);
      return 'done';
    }
    if (cursor !== fanOut.pushed) {
      // It already has the entries that wait for the next flush.
      fanOut.flush();
      return 'more';
    }
    const subscription = this.#subscription;
    const reader = this.#reader;
    this.#phase = 'live';
    this.#reader = undefined;
    this.order = fanOut.nextOrder();
    subscription.live.add(this);
    this.#pushedBefore = subscription.pushed.bytes;
    this.#pushedEventsBefore = subscription.pushed.events;
    if (subscription.live.size === subscription.receivers) {
      subscription.lastStates = undefined;
      subscription.lastReplay = undefined;
    }
    // Lets others go on at once, so it comes last.
    if (reader !== undefined) this.#hasRead(reader);
    return 'done';
  }

  #wait(reader: Reader, read: Promise<Reading>): void {
    const subscription = this.#subscription;
    reader.isWaiting = true;
    read.then(
      (reading) => {
        reader.isWaiting = false;
        this.#hasRead(reader);
        // A page read for its earlier topics would leave out the new ones.
        if (this.#reader === reader && this.#subscription === subscription && this.#canRead)
          this.#reading = reading;
        this.#pump();
      },
      (error: unknown) => {
        if (this.#reader !== reader) return;
        this.#readFailed(error, () => {
          reader.isWaiting = false;
          this.#pump();
        });
      },
    );
  }

  #hasRead(reader: Reader): void {
    if (reader.failingSince === undefined) return;
    reader.failingSince = undefined;
    this.#delivery.outage.over();
  }

  /** While the log is out of reach, the connection waits for it. Otherwise the client comes back with its cursor. */
  #readFailed(error: unknown, readAgain: () => void): void {
    const { clock, outage } = this.#delivery;
    const reader = this.#reader;
    if (reader === undefined) return;
    const since = (reader.failingSince ??= clock.monotonic());
    const whileReading = (goOn: () => void) => (): void => {
      if (this.#reader === reader) goOn();
    };
    const giveUp = whileReading(() => this.destroy());
    if (!outage.wait(this, { since, readAgain: whileReading(readAgain), giveUp }, error)) this.fail(error);
  }

  #take(reading: Reading): void {
    const { counters } = this.#delivery;
    const before = counters.delivered;
    this.#write(() => {
      const output = reading();
      this.#events += counters.delivered - before;
      return output;
    });
  }

  /** @returns whether the peer can take more. */
  #write(encode: () => Output | undefined): boolean {
    const output = this.#encode(encode);
    if (output === undefined) return true;
    this.#count(output);
    this.#wroteAt = this.#delivery.clock.monotonic();
    const before = writing;
    // oxlint-disable-next-line typescript/no-this-alias
    writing = this;
    const takesMore = this.#send(output);
    writing = before;
    if (!takesMore) this.blockedAt ??= this.#wroteAt;
    return takesMore;
  }

  /** A format that throws takes down its own connection, as a transport does. */
  #encode<T>(encode: () => T): T | undefined {
    try {
      return encode();
    } catch (error) {
      this.fail(error);
      return undefined;
    }
  }

  /** A transport that throws takes down its own connection, and no event from any other. Answers as `write` does. */
  #send(output: Output): boolean {
    try {
      return this.#sink?.write(output) !== false;
    } catch (error) {
      this.fail(error);
      return true;
    }
  }

  #count(output: Output): void {
    this.#bytes += output.length;
    this.#delivery.counters.bytes += output.length;
  }

  /** The client comes back with its cursor, so nothing is lost. */
  fail(error: unknown): void {
    if (this.#phase === 'closed') return;
    this.#delivery.report(error);
    this.destroy();
  }
}

/**
 * Takes the subscription's matchers, which equal connections share. Field by field: an object made by a spread takes
 * 50 bytes more.
 */
function toShared(
  request: ConnectRequest,
  { wanted, granted }: Subscription,
  userAgent: string | undefined,
): ConnectRequest {
  const { start, otherwise, reconnects, subject, member, expiresAt, issuedAt, tokenId } = request;
  const { remote, protocol, audience, handler } = request;
  return {
    wanted,
    granted,
    start,
    otherwise,
    reconnects,
    subject,
    member,
    expiresAt,
    issuedAt,
    tokenId,
    remote,
    userAgent,
    protocol,
    audience,
    handler,
  };
}
