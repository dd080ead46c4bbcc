import type { Sink } from '../hub/delivery/sink.ts';
import type { OwnConnection } from '../hub/gateway.ts';
import { systemClock } from '../hub/clock.ts';
import { timerDelay } from '../protocol/timer-delay.ts';

/** The longest wait that a request may ask for, in seconds. */
const MAX_WAIT = 60;
/** Bytes after which an answer ends even if there is more: the client asks again. */
const ENOUGH = 1_048_576;
/** Milliseconds until a client asks again; the next answer has everything published in between. */
const RETRY = 250;
/** Milliseconds between checks of a connection that has nearly reached the head; more and more, while nothing comes. */
const LOOK = 20;
const MOST_BETWEEN = 1000;

/** Milliseconds of a turn of the event loop in which answers end: one event may end thousands of them. */
const SLICE = 5;

const decoder = new TextDecoder();

/** How long the request `?wait=…` waits, in milliseconds; undefined if it asks for a stream. */
export function waitOf(query: URLSearchParams): number | undefined {
  const text = query.get('wait') ?? '';
  return /^\d{1,9}$/.test(text) ? Math.min(Number(text), MAX_WAIT) * 1000 : undefined;
}

/**
 * A connection whose answer ends once it has brought the events after the cursor, or after `wait` milliseconds without
 * any. It reads like a stream, but gets through proxies that hold a response back until it is complete.
 */
export function answerAndEnd(connection: OwnConnection, wait: number): OwnConnection {
  let waiting: WaitingSink | undefined;
  return {
    get info() {
      return connection.info;
    },
    open(sink, greeting) {
      waiting = new WaitingSink(sink, connection, wait);
      connection.open(waiting, greeting);
    },
    drained() {
      if (waiting?.isFull !== true) connection.drained();
    },
    closed: () => connection.closed(),
    locate: () => connection.locate(),
    destroy: () => connection.destroy(),
    end: (reason, retry) => connection.end(reason, retry),
    onClose: (listener) => connection.onClose(listener),
  };
}

class WaitingSink implements Sink {
  /** Whether the answer has brought enough, and the client has a cursor for the rest. */
  isFull = false;
  readonly #sink: Sink;
  readonly #connection: OwnConnection;
  /** The `performance.now()` at which the answer ends even without events. */
  readonly #deadline: number;
  #hasWelcome = false;
  #hasEvents = false;
  #bytes = 0;
  #pause = LOOK;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(sink: Sink, connection: OwnConnection, wait: number) {
    this.#sink = sink;
    this.#connection = connection;
    this.#deadline = performance.now() + wait;
    this.#lookIn(wait);
    connection.onClose(() => clearTimeout(this.#timer));
  }

  write(bytes: Uint8Array): boolean {
    // Nobody reads a heartbeat before the answer is complete.
    if (isHeartbeat(bytes)) return true;
    if (this.#pause > LOOK) this.#lookIn((this.#pause = LOOK));
    if (this.#hasWelcome && !this.#hasEvents) {
      this.#hasEvents = true;
      this.#lookIn(0);
    }
    this.#hasWelcome = true;
    this.#bytes += bytes.length;
    const takesMore = this.#sink.write(bytes);
    // A snapshot has a cursor only at its end: cut earlier, it would start over forever.
    this.isFull = this.#bytes >= ENOUGH && hasCursor(bytes);
    if (this.isFull) this.#lookIn(0);
    return takesMore && !this.isFull;
  }

  end(bytes: Uint8Array): void {
    this.#sink.end(bytes);
  }

  destroy(): void {
    this.#sink.destroy();
  }

  tend(): void {
    this.#sink.tend?.();
  }

  #lookIn(milliseconds: number): void {
    clearTimeout(this.#timer);
    if (milliseconds === 0) lookSoon(this);
    else this.#timer = setTimeout(() => lookSoon(this), timerDelay(milliseconds));
  }

  /** Ends the answer if it is due, or looks again later. */
  look(): void {
    const isDue = this.#hasEvents || performance.now() >= this.#deadline;
    const { phase } = this.#connection.info;
    if (phase === 'ending' || phase === 'closed') return;
    const isWhole = phase === 'live' || this.isFull;
    if (isDue && this.#hasWelcome && isWhole) return this.#connection.end('wait', RETRY);
    this.#lookIn(this.#pause);
    this.#pause = Math.min(2 * this.#pause, MOST_BETWEEN);
  }
}

/** Answers that may be due, of all hubs. Looked at in slices: to end ten thousand of them takes a quarter of a second. */
const waitingForLook = new Set<WaitingSink>();

function lookSoon(sink: WaitingSink): void {
  // A timer rather than the next turn: an answer brings what is published in the same millisecond.
  if (waitingForLook.size === 0) setTimeout(lookAtThose, 0);
  waitingForLook.add(sink);
}

function lookAtThose(): void {
  const begin = performance.now();
  try {
    for (const sink of waitingForLook) {
      waitingForLook.delete(sink);
      sink.look();
      if (performance.now() - begin >= SLICE) break;
    }
  } finally {
    // Also if one throws, such as by the app's `onError`: the others don't wait for good.
    if (waitingForLook.size > 0) systemClock.defer(lookAtThose);
  }
}

/** `id:` and nothing else, or an empty comment while the log is out of reach. */
function isHeartbeat(bytes: Uint8Array): boolean {
  return bytes.length < 160 && /^(?:id: [^\n]*|:)\n\n$/.test(decoder.decode(bytes));
}

function hasCursor(bytes: Uint8Array): boolean {
  return /^id: /m.test(decoder.decode(bytes));
}
