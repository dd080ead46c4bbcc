import {
  EXPIRING,
  type Expiring,
  GAP,
  GOODBYE,
  type GapNotice,
  type Goodbye,
  type GoodbyeReason,
  SUBSCRIBED,
  type Subscribed,
  WELCOME,
  type Welcome,
} from '../../protocol/control.ts';
import { type Start, formatCursor } from '../../protocol/cursor.ts';
import { encodeFrame } from '../../protocol/encode.ts';
import type { Matcher } from '../../protocol/matcher.ts';
import type { Clock } from '../clock.ts';
import type { EventLog } from '../../log/event-log.ts';
import { type MatcherSet, createMatcherSet } from '../../protocol/matcher-set.ts';
import type { Member } from '../presence/presence.ts';
import { judge, needsSnapshot, newLosses, trimmedGaps } from './resume.ts';
import {
  type Receiver,
  type SharedPage,
  type Subscription,
  type Subscriptions,
  toSharedPage,
  wants,
} from './subscription.ts';
import type { LogEntry } from '../../log/entry.ts';
import type { PageLimit } from '../../log/page.ts';

/**
 * Where a connection's bytes go: the transport's side. It calls `drained` when the peer can take more again, and
 * `closed` once when the peer is gone, for whatever reason.
 */
export interface Sink {
  /** Takes all the bytes. @returns false if no more should come before `drained`. */
  write(bytes: Uint8Array): boolean;
  /** Sends these last bytes and what was written before, then ends the stream. */
  end(bytes: Uint8Array): void;
  /** Ends the stream now, whatever is still to be sent. */
  destroy(): void;
}

/** `opening`: admitted, nothing sent. `behind`: reads from its cursor. `live`: at the head. `ending`: said goodbye. */
export type ConnectionPhase = 'opening' | 'behind' | 'live' | 'ending' | 'closed';

/** An incoming connection, as its transport read it: who it is and what it asks for. */
export interface ConnectRequest {
  /** What the subscriber asks for. */
  readonly wanted: MatcherSet;
  /** What it may read by name: private events need it. */
  readonly granted: MatcherSet;
  readonly start: Start;
  /** Whether the cursor comes from an earlier connection, which had the topics' state sent already. */
  readonly reconnects: boolean;
  readonly subject: string | undefined;
  /** Who it counts as for presence. Absent: the subject, or else someone of its own. */
  readonly member?: Member | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAt: number | undefined;
  readonly remote: string | undefined;
  readonly userAgent: string | undefined;
  /** Like `HTTP/1.1`. */
  readonly protocol: string;
  /** The handler that asks: only it may change the connection, since its `authorize` judged the topics. */
  readonly handler?: object | undefined;
}

export interface ConnectionInfo {
  readonly id: string;
  readonly subject: string | undefined;
  readonly remote: string | undefined;
  readonly userAgent: string | undefined;
  readonly protocol: string;
  readonly topics: readonly Matcher[];
  readonly phase: ConnectionPhase;
  /** Events of the log, matching or not, that this connection has not been brought past. */
  readonly lag: number;
  /** Bytes of frames handed to the transport. */
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly connectedAt: number;
}

/** What of a `ConnectRequest` may change while the connection lasts. */
export type ConnectionTerms = Pick<ConnectRequest, 'wanted' | 'granted' | 'expiresAt'>;

/** Topics that are states, of which the newest events up to `until` are being sent. */
interface Snapshot {
  readonly wanted: MatcherSet;
  readonly until: number;
  after: number;
}

/** What all connections of a hub share. */
export interface Delivery {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly subscriptions: Subscriptions;
  readonly counters: { delivered: number; bytes: number };
  readonly heartbeat: number;
  readonly retry: number;
  /** Pushes what was appended since the last flush. @returns false if one is running already. */
  flush(): boolean;
  /** Takes a failure nobody waits for. */
  report(error: unknown): void;
  /** Takes the connection off the books. */
  forget(connection: Connection): void;
}

/** Large enough that a page fills a socket's buffer, small enough that few bytes wait for a slow peer. */
const PAGE: PageLimit = { events: 1000, length: 65_536 };

/** Bytes read for one connection before others get a turn: a peer may take them as fast as they are read. */
const TURN = 262_144;

const encoder = new TextEncoder();
const NONE: readonly never[] = [];

/**
 * A cursor on the log. While `live`, it has all there is and fan-out pushes to it. Once the peer's buffer is full,
 * nothing is kept for it but the cursor: at `drained` it reads the log from there until it is at the head again.
 *
 * Longer than other files because the whole hand-over between reading and being pushed to should be in one view.
 */
export class Connection implements Receiver {
  readonly id: string;
  /** Unguessable: whoever knows it may change what the connection is for. Told to the client alone. */
  readonly secret: string = crypto.randomUUID();
  #request: ConnectRequest;
  /** Milliseconds since 1970. */
  readonly connectedAt: number;
  /** The clock's monotonic time. */
  readonly admittedAt: number;
  /** Since when the peer has taken nothing although something waits; undefined if nothing waits. */
  blockedAt: number | undefined;
  readonly #delivery: Delivery;
  #subscription: Subscription;
  #sink: Sink | undefined;
  #phase: ConnectionPhase = 'opening';
  /** While `live` the fan-out knows better: everybody live is at its last flush. */
  #cursor = 0;
  /** Whether a read is under way, or others have their turn. */
  #reading = false;
  /** Bytes read since they had it last. */
  #turn = 0;
  /** How far the snapshot has been sent that comes before all else. */
  #snapshot: Snapshot | undefined;
  /** Whether the peer has been told what the connection is for by now. */
  #toldTopics = true;
  /** Whether the peer has been told that its authorization is about to expire. */
  #toldExpiry = false;
  /** Bytes of frames, and when the newest were written; without what was pushed since it is live. */
  #bytes = 0;
  #wroteAt: number;
  /** What had been pushed to its subscription when it became live. */
  #pushedBefore = 0;
  /** The log has lost what came after this seq, and the peer has not been told yet that it was given some of it. */
  #rewoundTo: number | undefined;
  #toldLosses: Map<string, number> | undefined;
  #closeListeners: readonly (() => void)[] = NONE;

  constructor(id: string, request: ConnectRequest, delivery: Delivery) {
    this.id = id;
    this.#delivery = delivery;
    this.#subscription = delivery.subscriptions.join(request.wanted, request.granted);
    this.#request = shareMatchers(request, this.#subscription);
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
      lag: this.#phase === 'behind' ? head - this.#cursor : 0,
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

  /** Calls `listener` once when the connection is over; at once if it is. */
  onClose(listener: () => void): void {
    if (this.#phase === 'closed') listener();
    else this.#closeListeners = [...this.#closeListeners, listener];
  }

  /**
   * Starts the stream: welcome, then `greeting` (frames without cursor, for this connection only), then events.
   * The cursor's place is taken before this returns, unless the log has to be asked what retention took.
   */
  open(sink: Sink, greeting: string): void {
    // It may have been ended, or the hub closed, since it was admitted.
    if (this.#phase === 'closed') return sink.destroy();
    this.#sink = sink;
    judge(this.#request, this.#delivery.log).then(
      (verdict) => {
        if (this.#phase !== 'opening') return;
        this.#phase = 'behind';
        // The log may have gone back since the cursor was judged.
        if (this.#rewoundTo !== undefined && verdict.seq <= this.#rewoundTo) this.#rewoundTo = undefined;
        this.#cursor = Math.min(verdict.seq, this.#rewoundTo ?? Infinity);
        if (verdict.snapshot) this.#beginSnapshot(this.#subscription.wanted);
        if (verdict.losses.length > 0)
          newLosses(verdict.losses, (this.#toldLosses = new Map<string, number>()));
        const welcome: Welcome = {
          connection: this.id,
          secret: this.secret,
          resumed: verdict.resumed,
          gaps: verdict.gaps,
          heartbeat: this.#delivery.heartbeat,
        };
        const fields = { retry: this.#delivery.retry, type: WELCOME, data: JSON.stringify(welcome) };
        // A client that is cut off within the snapshot must not have a cursor behind it yet.
        const frame = verdict.snapshot ? encodeFrame(fields) : this.#encode(fields);
        this.#write(encoder.encode(frame + greeting));
        this.#pump();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /**
   * Changes what the connection is for, and until when. Events of topics that it gains begin after the cursor that
   * an event in the stream tells, as the answer does.
   *
   * @returns the cursor.
   */
  change({ wanted, granted, expiresAt }: ConnectionTerms): string {
    const { log, subscriptions, flush } = this.#delivery;
    // Whoever is live has everything up to the head then, which so becomes its cursor.
    flush();
    this.#leaveLive(log.tail.head);
    const before = this.#request.wanted;
    const gained = createMatcherSet(wanted.matchers.filter((matcher) => !before.covers(matcher)));
    subscriptions.leave(this.#subscription, this);
    this.#subscription = subscriptions.join(wanted, granted);
    this.#request = shareMatchers({ ...this.#request, expiresAt }, this.#subscription);
    this.#toldExpiry = false;
    const cursor = formatCursor({ epoch: log.tail.epoch, seq: this.#cursor });
    if (this.#phase !== 'behind') return cursor;
    this.#toldTopics &&= wanted.key === before.key;
    if (log.rules.canBeState(gained)) this.#beginSnapshot(gained);
    this.#pump();
    return cursor;
  }

  /** Tells the peer, once, that its authorization ends soon: it may renew it. */
  warnOfExpiry(): void {
    if (this.#toldExpiry || this.#phase !== 'live' || this.#request.expiresAt === undefined) return;
    this.#toldExpiry = true;
    const { clock, log, flush } = this.#delivery;
    flush();
    this.#cursor = log.tail.head;
    const data: Expiring = { within: Math.max(0, this.#request.expiresAt - clock.now()) };
    const bytes = encoder.encode(this.#encode({ type: EXPIRING, data: JSON.stringify(data) }));
    this.pushAlone(bytes, this.#cursor, clock.monotonic());
  }

  /** Pushes what is not for the whole subscription. */
  pushAlone(bytes: Uint8Array, seq: number, now: number): void {
    this.#count(bytes);
    this.#wroteAt = now;
    this.push(bytes, seq, now);
  }

  push(bytes: Uint8Array, seq: number, now: number): void {
    if (this.#send(bytes)) return;
    this.#leaveLive(seq);
    this.blockedAt = now;
  }

  /** To go on from `seq`, up to which it has everything. Does nothing unless it is live. */
  #leaveLive(seq: number): void {
    if (this.#phase !== 'live') return;
    this.#subscription.live.delete(this);
    this.#bytes += this.#pushedBytes;
    this.#wroteAt = this.wroteAt;
    this.#phase = 'behind';
    this.#cursor = seq;
  }

  /** Right after a flush: what is pushed next may leave out what it wants, so it goes on from the log. */
  fallBehind(): void {
    if (this.#phase !== 'live') return;
    this.#leaveLive(this.#delivery.log.tail.head);
    // Not before the tail has moved on.
    this.#delivery.clock.defer(() => this.#pump());
  }

  /**
   * The log has lost what came after `end`, and the tail is about to go back there. A peer that was given some of it
   * gets a gap, and goes on from there.
   */
  rewind(end: number): void {
    this.#leaveLive(this.#delivery.log.tail.head);
    this.#subscription.lastPage = undefined;
    if (this.#phase === 'opening' || this.#cursor > end)
      this.#rewoundTo = Math.min(end, this.#rewoundTo ?? Infinity);
    if (this.#phase !== 'behind') return;
    this.#cursor = Math.min(this.#cursor, end);
    if (this.#snapshot !== undefined) this.#beginSnapshot(this.#snapshot.wanted);
    this.#delivery.clock.defer(() => this.#pump());
  }

  /** For the transport: the peer can take more. */
  drained(): void {
    // Who was told goodbye has the stall time for all of it.
    if (this.#phase === 'ending') return;
    this.blockedAt = undefined;
    // Others had their turn while it was waited for.
    this.#turn = 0;
    this.#pump();
  }

  /** For the transport: the peer is gone. */
  closed(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#sink = undefined;
    this.#delivery.subscriptions.leave(this.#subscription, this);
    this.#delivery.forget(this);
    for (const listener of this.#closeListeners) {
      try {
        listener();
      } catch (error) {
        this.#delivery.report(error);
      }
    }
  }

  /**
   * Ends the stream, saying why and when to come back; but without a word if it has not begun, for the welcome is
   * always the first. `retry` in milliseconds.
   */
  end(reason: GoodbyeReason, retry: number): void {
    if (this.#phase === 'ending' || this.#phase === 'closed') return;
    if (this.#phase === 'opening') return this.destroy();
    this.#leaveLive(this.#delivery.log.tail.head);
    this.#phase = 'ending';
    // From now on the peer has the stall time to take what was sent.
    this.blockedAt = this.#delivery.clock.monotonic();
    const goodbye: Goodbye = { reason, retry: Math.round(retry) };
    const bytes = encoder.encode(encodeFrame({ retry, type: GOODBYE, data: JSON.stringify(goodbye) }));
    this.#count(bytes);
    try {
      this.#sink?.end(bytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Ends the stream at once, for a peer that takes nothing. */
  destroy(): void {
    try {
      this.#sink?.destroy();
    } catch (error) {
      this.#delivery.report(error);
    }
    this.closed();
  }

  /** Reads from the cursor until the peer's buffer is full or the head is reached. */
  #pump(): void {
    const { log, clock } = this.#delivery;
    while (this.#phase === 'behind' && this.blockedAt === undefined && !this.#reading) {
      if (this.#turn > TURN) {
        void this.#readWith(() => this.#rest());
      } else if (this.#rewoundTo !== undefined) {
        this.#tellRewind();
      } else if (this.#snapshot !== undefined) {
        void this.#readWith(() => this.#readSnapshot());
      } else if (!this.#toldTopics) {
        this.#tellTopics();
      } else if (this.#cursor < Math.max(log.tail.floor, log.newestLoss)) {
        void this.#readWith(() => this.#readLog());
      } else if (this.#cursor < log.tail.head) {
        this.#take(this.#nextPage());
      } else if (this.#delivery.flush()) {
        // Nothing appended so far is still to be pushed, so what is pushed next is what comes after the cursor.
        this.#phase = 'live';
        this.#subscription.live.add(this);
        this.#pushedBefore = this.#subscription.pushed.bytes;
        if (this.#subscription.live.size === this.#subscription.receivers)
          this.#subscription.lastPage = undefined;
      } else {
        clock.defer(() => this.#pump());
        return;
      }
    }
  }

  /** Before anything that takes the place of what the log has lost. */
  #tellRewind(): void {
    this.#rewoundTo = undefined;
    const { wanted } = this.#subscription;
    const notice: GapNotice = { gaps: [{ topics: wanted.matchers, reason: 'epoch' }] };
    this.#write(encoder.encode(this.#encode({ type: GAP, data: JSON.stringify(notice) })));
    if (this.#delivery.log.rules.canBeState(wanted)) this.#beginSnapshot(wanted);
  }

  /** After the state of the topics that it gained, so that whoever is told has it, and before any event of them. */
  #tellTopics(): void {
    this.#toldTopics = true;
    const data: Subscribed = { topics: this.#request.wanted.matchers };
    this.#write(encoder.encode(this.#encode({ type: SUBSCRIBED, data: JSON.stringify(data) })));
  }

  #nextPage(): SharedPage {
    const { tail } = this.#delivery.log;
    const last = this.#subscription.lastPage;
    if (last !== undefined && last.after === this.#cursor && last.head === tail.head) return last;
    const subscription = this.#subscription;
    const wantsEntry = (entry: LogEntry): boolean => wants(subscription, entry);
    const page = tail.read(this.#cursor, wantsEntry, PAGE, subscription.wanted);
    const shared = toSharedPage(page, this.#cursor, tail.head, tail.epoch);
    if (this.#subscription.receivers > 1) this.#subscription.lastPage = shared;
    return shared;
  }

  /** One that is under way begins anew, with what is asked for now as well. */
  #beginSnapshot(wanted: MatcherSet): void {
    const both = [...(this.#snapshot?.wanted.matchers ?? []), ...wanted.matchers];
    this.#snapshot = { wanted: createMatcherSet(both), until: this.#cursor, after: 0 };
  }

  #rest(): Promise<void> {
    this.#turn = 0;
    return new Promise((resolve) => this.#delivery.clock.defer(resolve));
  }

  async #readWith(read: () => Promise<void>): Promise<void> {
    this.#reading = true;
    try {
      await read();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#reading = false;
    }
    this.#pump();
  }

  /** Reads below the tail. What retention took meanwhile is told before the page it is missing from. */
  async #readLog(): Promise<void> {
    const { log } = this.#delivery;
    const subscription = this.#subscription;
    const { wanted } = subscription;
    const after = this.#cursor;
    const { epoch } = log.tail;
    const wantsEntry = (entry: LogEntry): boolean => wants(subscription, entry);
    const page = await log.read({ after, wants: wantsEntry, matchers: wanted, limit: PAGE });
    const all = await log.losses(after, wanted);
    // A page that was read for other topics leaves the new ones out; one of an earlier epoch may have what is lost since.
    if (this.#phase !== 'behind' || this.#subscription !== subscription || log.tail.epoch !== epoch) return;
    const losses = newLosses(all, (this.#toldLosses ??= new Map<string, number>()));
    if (losses.length > 0) {
      const notice: GapNotice = { gaps: trimmedGaps(losses) };
      this.#write(encoder.encode(this.#encode({ type: GAP, data: JSON.stringify(notice) })));
      if (needsSnapshot(losses, log)) {
        this.#beginSnapshot(wanted);
        return;
      }
    }
    this.#take(toSharedPage(page, after, log.tail.head, log.tail.epoch));
  }

  /** The frames of a snapshot have no `id:`; the cursor follows when it is complete. */
  async #readSnapshot(): Promise<void> {
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return;
    const page = await this.#delivery.log.read({
      after: snapshot.after,
      wants: (entry) => entry.seq <= snapshot.until && wants(this.#subscription, entry),
      matchers: snapshot.wanted,
      limit: PAGE,
      snapshot: true,
    });
    if (this.#phase !== 'behind' || this.#snapshot !== snapshot) return;
    let frames = page.entries.map(({ type, data }) => encodeFrame({ type, data })).join('');
    snapshot.after = page.next;
    if (page.next >= snapshot.until) {
      this.#snapshot = undefined;
      frames += this.#encode({});
    }
    this.#delivery.counters.delivered += page.entries.length;
    if (frames !== '') this.#writePage(encoder.encode(frames));
  }

  #take(page: SharedPage): void {
    this.#cursor = page.next;
    this.#delivery.counters.delivered += page.events;
    if (page.bytes !== undefined) this.#writePage(page.bytes);
  }

  #writePage(bytes: Uint8Array): void {
    this.#turn += bytes.length;
    this.#write(bytes);
  }

  /** Frames that the log does not hold carry the cursor as it stands. */
  #encode(fields: { retry?: number; type?: string; data?: string }): string {
    const id = formatCursor({ epoch: this.#delivery.log.tail.epoch, seq: this.#cursor });
    return encodeFrame({ ...fields, id });
  }

  #write(bytes: Uint8Array): void {
    this.#count(bytes);
    this.#wroteAt = this.#delivery.clock.monotonic();
    if (!this.#send(bytes)) this.blockedAt ??= this.#wroteAt;
  }

  /** A transport that throws takes down its own connection, and no event from any other. Answers as `write` does. */
  #send(bytes: Uint8Array): boolean {
    try {
      return this.#sink?.write(bytes) !== false;
    } catch (error) {
      this.#fail(error);
      return true;
    }
  }

  #count(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    this.#delivery.counters.bytes += bytes.length;
  }

  /** The client comes back with its cursor, so nothing is lost. */
  #fail(error: unknown): void {
    if (this.#phase === 'closed') return;
    this.#delivery.report(error);
    this.destroy();
  }
}

/** With the matchers of the subscription, so that connections that ask for the same share them. */
function shareMatchers(request: ConnectRequest, { wanted, granted }: Subscription): ConnectRequest {
  return { ...request, wanted, granted };
}
