import type { Sink } from '../hub/delivery/sink.ts';
import type { OwnConnection } from '../hub/gateway.ts';

/** Seconds that a request may ask to wait. */
const MAX_WAIT = 60;
/** Bytes after which an answer ends although there is more: the client asks again. */
const ENOUGH = 1_048_576;
/** Milliseconds until a client asks again; what comes meanwhile is in one answer then. */
const RETRY = 250;
/** Milliseconds between looks at a connection that is about to be at the head. */
const LOOK = 20;

const decoder = new TextDecoder();

/** How long the request `?wait=…` waits, in milliseconds; undefined if it asks for a stream. */
export function waitOf(query: URLSearchParams): number | undefined {
  const text = query.get('wait') ?? '';
  return /^\d{1,9}$/.test(text) ? Math.min(Number(text), MAX_WAIT) * 1000 : undefined;
}

/**
 * A connection whose answer ends once it has brought what comes after the cursor, or after `wait` milliseconds without. It
 * is the same read as that of a stream, but passes proxies that hold a response back until it is complete.
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
    destroy: () => connection.destroy(),
    end: (reason, retry) => connection.end(reason, retry),
    onClose: (listener) => connection.onClose(listener),
  };
}

class WaitingSink implements Sink {
  /** Whether it has brought enough, and the client has a cursor for the rest. */
  isFull = false;
  readonly #sink: Sink;
  readonly #connection: OwnConnection;
  /** `performance.now()` from which on it ends also without events. */
  readonly #deadline: number;
  #hasWelcome = false;
  #hasEvents = false;
  #bytes = 0;
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
    if (this.#hasWelcome && isHeartbeat(bytes)) return true;
    if (this.#hasWelcome && !this.#hasEvents) {
      this.#hasEvents = true;
      this.#lookIn(0);
    }
    this.#hasWelcome = true;
    this.#bytes += bytes.length;
    const takesMore = this.#sink.write(bytes);
    // A snapshot has no cursor before its end; cut before, it would begin anew for ever.
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

  #lookIn(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), milliseconds);
  }

  #look(): void {
    const isDue = this.#hasEvents || performance.now() >= this.#deadline;
    const { phase } = this.#connection.info;
    if (phase === 'ending' || phase === 'closed') return;
    const isWhole = phase === 'live' || this.isFull;
    if (isDue && this.#hasWelcome && isWhole) return this.#connection.end('wait', RETRY);
    this.#lookIn(LOOK);
  }
}

/** `id:` and nothing else. */
function isHeartbeat(bytes: Uint8Array): boolean {
  return bytes.length < 160 && /^id: [^\n]*\n\n$/.test(decoder.decode(bytes));
}

function hasCursor(bytes: Uint8Array): boolean {
  return /^id: /m.test(decoder.decode(bytes));
}
