import { EXPIRING, GAP, GOODBYE, type Gap, WELCOME } from '../protocol/control.ts';
import type { DecodedEvent } from '../protocol/decode.ts';
import { reportUncaught } from './channel.ts';
import type { ClientTopics } from './client-topics.ts';
import { openConnection, type StreamItem } from './connection.ts';
import type { CursorKeeper } from './cursor-keeper.ts';
import type { Delivery } from './delivery.ts';
import type { Listeners } from './listeners.ts';
import { pause } from './deadline.ts';
import { loadCursor, staleLoad } from './load.ts';
import type { Input } from './machine.ts';
import {
  readCredentials,
  readExpiring,
  readGaps,
  readGoodbye,
  readWelcome,
  UNANNOUNCED,
} from './read-control.ts';
import type { Settings } from './options.ts';
import type { FetchResponse } from './web.ts';

/** What one session leaves to the next. */
export interface Shared {
  readonly settings: Settings;
  readonly keeper: CursorKeeper;
  readonly delivery: Delivery;
  readonly topics: ClientTopics;
  readonly listeners: Listeners;
  /** The gaps because of which the app has to load its state before anything else. */
  due: readonly Gap[] | undefined;
  /** Tells the machine. */
  send(input: Input): void;
  isCurrent(session: Session): boolean;
  isOver(): boolean;
  /** Whether the server is a hub, as far as the client knows. */
  isHub(): boolean;
  silence(): number | undefined;
}

/** One connection, and what the client makes of its stream. */
export interface Session {
  /** Whether it asks for a whole answer. */
  readonly poll: boolean;
  readonly response: FetchResponse | undefined;
  close(): void;
  /** Declares the connection dead unless something comes within this many milliseconds. */
  expect(limit: number): void;
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

  const connection = openConnection(settings, poll, {
    prepare: (signal) =>
      after > 0 ? pause(settings.timers, after, signal).then(() => load(signal)) : load(signal),
    // An offered event will be taken, so it needn't be sent again.
    request: () => topics.request(delivery.offered ? delivery.offered.id || undefined : keeper.cursor, poll),
    onResponse: (its) => (response = its),
    onInput: send,
    onItem: receive,
    onIdle() {
      keeper.save();
      // A hub begins with its welcome. Other servers may stay silent for long and be there.
      if (!shared.isHub()) open(undefined);
    },
    silence: shared.silence,
    moved: () => moved,
  });

  const session: Session = {
    poll,
    get response() {
      return response;
    },
    close: connection.close,
    expect: connection.expect,
    miss,
  };
  return session;

  function load(signal: AbortSignal): Promise<void> | undefined {
    if (shared.due === undefined) return undefined;
    return loadCursor(settings, { gaps: shared.due, signal }).then((cursor) => {
      if (signal.aborted) return;
      shared.due = undefined;
      fresh = true;
      keeper.move(cursor);
      topics.begin();
    });
  }

  function receive(item: StreamItem): Promise<void> | undefined {
    if ('retry' in item) send({ type: 'retry', delay: item.retry });
    else if ('comment' in item) listeners.comments.emit(item.comment);
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
    const welcome = 'type' in item && item.type === WELCOME ? item.data : undefined;
    open(welcome);
    if (!shared.isCurrent(session)) return;
    fresh = false;
    topics.welcomed({
      credentials: welcome === undefined || poll ? undefined : readCredentials(welcome),
      cursor: 'onlyId' in item ? item.onlyId : item.id,
      announced: welcome !== undefined,
    });
  }

  function open(welcome: string | undefined): void {
    const introduction = welcome === undefined ? UNANNOUNCED : readWelcome(welcome);
    if (begun) send({ type: 'announced', heartbeat: introduction.heartbeat });
    // A welcome that comes after comments says more than they did.
    if ((opened && welcome === undefined) || response === undefined) return;
    opened = true;
    const { status, headers, url } = response;
    // A `Response` that was made by hand has an empty URL.
    listeners.opened.emit({ ...introduction, response: { status, headers, url: url || settings.url } });
    if (introduction.gaps.length > 0) miss(introduction.gaps);
  }

  function miss(gaps: readonly Gap[]): void {
    if (!shared.isCurrent(session)) return;
    listeners.gaps.emit(gaps);
    if (settings.load === undefined || !shared.isCurrent(session)) return;
    shared.due = gaps;
    delivery.retract();
    send(fresh ? { type: 'dropped', error: staleLoad(gaps) } : { type: 'reload' });
  }

  /**
   * The cursor moves only once everyone has been given the event: events that a drop or a reload cuts off come again.
   */
  function handOut(item: Frame): Promise<void> | undefined {
    // A listener for the opening or for an event may have closed the client.
    if (!shared.isCurrent(session)) return undefined;
    if ('onlyId' in item) {
      moveTo(item, item.onlyId);
      return undefined;
    }
    if (item.type === GAP) miss(readGaps(item.data));
    const offer = delivery.give(item);
    if (offer !== undefined) {
      keeper.save();
      return offer.taken.then((taken) => {
        if (taken && !shared.isOver()) handedOut(item);
      });
    }
    handedOut(item);
    return undefined;
  }

  function handedOut(item: DecodedEvent): void {
    // `load` has moved the cursor, or will.
    if (shared.due !== undefined) return;
    moveTo(item, item.id);
    if (isLast(item)) send({ type: 'ended' });
    if (!shared.isCurrent(session)) return;
    if (item.type === GOODBYE) {
      const { retry, isAnswer } = readGoodbye(item.data);
      send(poll && isAnswer ? { type: 'finished', moved, after: retry } : { type: 'goodbye', retry });
    }
    if (item.type === EXPIRING) void renew(readExpiring(item.data));
  }

  function isLast(event: DecodedEvent): boolean {
    try {
      return settings.isLast?.(event) === true;
    } catch (error) {
      reportUncaught(error);
      return false;
    }
  }

  function moveTo(item: Frame, id: string): void {
    const moves = id !== (keeper.cursor ?? '');
    const isCurrent = shared.isCurrent(session);
    if (isCurrent) topics.handed(item, moves);
    moved ||= moves;
    keeper.move(id);
    // A listener may have closed the client, and then nothing saves the cursor any more.
    if (!isCurrent) keeper.save();
  }

  /** If it fails, the stream ends when the authorization does, and the next request has new headers. */
  async function renew(within: number): Promise<void> {
    const error = await topics.renew();
    if (error !== undefined) listeners.errors.emit(error, { retryIn: within });
  }
}
