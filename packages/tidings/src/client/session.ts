import { EXPIRING, GAP, GOODBYE, type Gap, WELCOME } from '../protocol/control.ts';
import type { DecodedEvent } from '../protocol/decode.ts';
import { type Notice, readNotice } from '../protocol/notice.ts';
import type { ClientTopics } from './client-topics.ts';
import { type Connection, openConnection, type StreamItem } from './connection.ts';
import type { CursorKeeper } from './cursor-keeper.ts';
import type { Delivery } from './delivery.ts';
import { reportUncaught, type Listeners, type Signals } from './listeners.ts';
import { pause } from './deadline.ts';
import type { FirstFrame } from './fixed-topics.ts';
import { loadCursor, staleLoad } from './load.ts';
import type { Input } from './machine.ts';
import type { Settings } from './settings.ts';
import type { FetchResponse } from './web.ts';

/** The state that one session leaves to the next. */
export interface Shared {
  readonly settings: Settings;
  readonly keeper: CursorKeeper;
  readonly delivery: Delivery;
  readonly topics: ClientTopics;
  readonly listeners: Listeners<Signals>;
  /** The gaps because of which the app has to load its state before anything else. */
  due: readonly Gap[] | undefined;
  /** When bytes came last, heartbeats included, in milliseconds since 1970. */
  heardAt: number | undefined;
  /** Tells the machine. */
  send(input: Input): void;
  /** Whether the server is a hub, as far as the client knows. */
  isHub(): boolean;
  silence(): number | undefined;
}

/** One connection, and what the client makes of its stream. */
export interface Session extends Connection {
  /** Whether it asks for a whole answer. */
  readonly poll: boolean;
  readonly response: FetchResponse | undefined;
  /** Events are missing. If the app has a `load`, nothing more is handed out until it has run. */
  miss(gaps: readonly Gap[]): void;
}

/** An item that moves the cursor or reaches listeners. */
type Frame = DecodedEvent | { readonly onlyId: string };

export function openSession(shared: Shared, poll: boolean, after = 0): Session {
  const { settings, keeper, delivery, topics, listeners, send } = shared;
  let response: FetchResponse | undefined;
  /** Whether it goes on from the cursor that `load` just returned. */
  let fresh = false;
  /** Whether listeners know of it. */
  let opened = false;
  /** Whether the first frame has come. */
  let begun = false;
  /** Whether it has moved the cursor. */
  let moved = false;
  let closed = false;
  let renewing = false;

  const connection = openConnection(settings, poll, {
    prepare,
    // An offered event will be taken, so it needn't be sent again.
    request: () => topics.request(delivery.offered ? delivery.offered.id || undefined : keeper.cursor, poll),
    onResponse: (its) => (response = its),
    onInput: send,
    onItem: receive,
    // Listeners that are given what they bring may ask.
    onBytes: () => (shared.heardAt = settings.timers.now()),
    onIdle() {
      keeper.save();
      // A hub begins with its welcome. Other servers may stay silent for long and be there.
      if (!shared.isHub()) open();
    },
    silence: shared.silence,
    moved: () => moved,
  });

  return {
    poll,
    get response() {
      return response;
    },
    close() {
      closed = true;
      connection.close();
    },
    expect: connection.expect,
    miss,
  };

  async function prepare(signal: AbortSignal): Promise<void> {
    if (after > 0) await pause(settings.timers, after, signal);
    if (shared.due === undefined) return;
    const cursor = await loadCursor(settings, { gaps: shared.due, signal });
    if (signal.aborted) return;
    shared.due = undefined;
    fresh = true;
    keeper.move(cursor);
    topics.current.begin();
  }

  function receive(item: StreamItem): Promise<void> | undefined {
    if ('retry' in item) send({ type: 'retry', delay: item.retry });
    else if ('comment' in item) listeners.emit('comment', item.comment);
    else {
      if (!begun) welcome(item);
      const { offered } = delivery;
      return offered === undefined ? handOut(item) : offered.taken.then(() => handOut(item));
    }
    return undefined;
  }

  /** The first frame: a hub introduces itself, other servers just begin. */
  function welcome(item: Frame): void {
    begun = true;
    const notice = 'type' in item && item.type === WELCOME ? readNotice(item.data) : undefined;
    open(notice);
    if (closed) return;
    fresh = false;
    topics.current.welcomed({
      credentials: poll ? undefined : credentialsOf(notice),
      cursor: idOf(item),
      announced: notice !== undefined,
    });
  }

  /** Without a notice, a server that describes nothing. */
  function open(notice?: Notice): void {
    const { connection, resumed = false, gaps = [], heartbeat } = notice ?? {};
    if (begun) send({ type: 'announced', heartbeat });
    // A welcome that comes after comments says more than they did.
    if ((opened && notice === undefined) || response === undefined) return;
    opened = true;
    const { status, headers, url } = response;
    // A `Response` that was made by hand has an empty URL.
    listeners.emit('open', {
      response: { status, headers, url: url || settings.url },
      connection,
      resumed,
      gaps,
      heartbeat,
    });
    if (gaps.length > 0) miss(gaps);
  }

  function miss(gaps: readonly Gap[]): void {
    if (closed) return;
    listeners.emit('gap', gaps);
    if (settings.load === undefined || closed) return;
    shared.due = gaps;
    delivery.retract();
    send(fresh ? { type: 'dropped', error: staleLoad(gaps) } : { type: 'reload' });
  }

  /**
   * The cursor moves only once everyone has been given the event: events that a drop or a reload cuts off come again.
   */
  function handOut(item: Frame): Promise<void> | undefined {
    // A listener for the opening or for an event may have closed the client.
    if (closed) return undefined;
    if ('onlyId' in item) {
      moveTo(item);
      return undefined;
    }
    if (item.type === GAP) miss(readNotice(item.data).gaps);
    const offer = delivery.give(item);
    if (offer === undefined) {
      handedOut(item);
      return undefined;
    }
    keeper.save();
    return offer.taken.then((taken) => {
      if (taken) handedOut(item);
    });
  }

  function handedOut(item: DecodedEvent): void {
    // `load` has moved the cursor, or will.
    if (shared.due !== undefined) return;
    moveTo(item);
    if (settings.isLast !== undefined && isLast(item)) send({ type: 'ended' });
    if (closed) return;
    if (item.type === GOODBYE) {
      const { retry, reason } = readNotice(item.data);
      send(
        poll && reason === 'wait' ? { type: 'finished', moved, after: retry } : { type: 'goodbye', retry },
      );
    }
    if (item.type === EXPIRING) void renew(readNotice(item.data).within ?? 0);
  }

  function isLast(event: DecodedEvent): boolean {
    try {
      return settings.isLast?.(event) === true;
    } catch (error) {
      reportUncaught(error);
      return false;
    }
  }

  function moveTo(item: Frame): void {
    const id = idOf(item);
    const moves = id !== (keeper.cursor ?? '');
    if (!closed) topics.current.handed(item, moves);
    moved ||= moves;
    keeper.move(id);
    // A listener may have closed the client, and then nothing saves the cursor any more.
    if (closed) keeper.save();
  }

  /** If it fails, the stream ends when the authorization does, and the next request has new headers. */
  async function renew(within: number): Promise<void> {
    // A server may ask as often as it likes: it gets one request at a time for it.
    if (renewing) return;
    renewing = true;
    const error = await topics.renew();
    renewing = false;
    if (error !== undefined) listeners.emit('error', error, { retryIn: within });
  }
}

const idOf = (item: Frame): string => ('onlyId' in item ? item.onlyId : item.id);

/** @returns undefined if the connection can't be changed. */
function credentialsOf({ connection, secret }: Partial<Notice> = {}): FirstFrame['credentials'] {
  return connection === undefined || secret === undefined ? undefined : { connection, secret };
}
