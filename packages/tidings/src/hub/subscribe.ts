import { EARLIEST, parseStart } from '../protocol/cursor.ts';
import { createError } from '../protocol/errors.ts';
import { type Matcher, OWN_PREFIX, RUNS_PREFIX } from '../protocol/matcher.ts';
import { createMatcherSet } from '../protocol/matcher-set.ts';
import { type Checks, aString, anObjectWith, assertOptions, invalidOption } from '../protocol/options.ts';
import type { ConnectRequest } from './connect-request.ts';
import type { Core } from './core.ts';
import type { Connection } from './delivery/connection.ts';
import type { Item, ItemBatch } from './delivery/items.ts';
import type { OutputSink } from './delivery/sink.ts';

export interface SubscribeOptions {
  /**
   * Where to begin: the cursor of the last item you handled, or `'earliest'`. Default: a snapshot of the state topics,
   * then new events.
   */
  readonly cursor?: string;
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
  /** The topics whose private events you get. Default: all, since this process is trusted. */
  readonly granted?: readonly Matcher[];
}

export const SUBSCRIBE_OPTIONS: Checks<SubscribeOptions> = {
  cursor: aString,
  signal: anObjectWith('an AbortSignal', 'aborted', 'addEventListener'),
  granted: {
    expected: 'a list of topics and `{ pattern }`s',
    accepts: Array.isArray,
  },
};

const EVERYTHING: readonly Matcher[] = ['', OWN_PREFIX, RUNS_PREFIX].map((prefix) => ({
  pattern: `${prefix}*`,
}));

/**
 * A connection of this process: items instead of bytes, and the reader's loop instead of a peer. It has no queue. While
 * the loop is busy only the cursor and the last read are kept.
 */
export function subscribe(
  core: Core,
  topics: Matcher | readonly Matcher[],
  options: SubscribeOptions = {},
): AsyncIterableIterator<Item> {
  assertOptions(options, SUBSCRIBE_OPTIONS);
  const { cursor, signal, granted = EVERYTHING } = options;
  const start = parseStart(cursor);
  if (start === 'unknown') {
    const message = `Expected \`cursor\` to be one that this hub gave, or '${EARLIEST}'; got ${JSON.stringify(cursor)}.`;
    throw invalidOption('cursor', message);
  }
  const matchers = Array.isArray(topics) ? (topics as readonly Matcher[]) : [topics as Matcher];
  if (matchers.length === 0)
    throw createError('topic/missing', 'Say what to subscribe to: a topic or a pattern.');
  const connection = addLocal(core, matchers, start, granted);
  const inbox = new Inbox(connection);
  const onAbort = (): void => void inbox.return();
  connection.onClose(() => signal?.removeEventListener('abort', onAbort));
  signal?.addEventListener('abort', onAbort);
  connection.open(inbox, '');
  if (signal?.aborted === true) onAbort();
  return inbox;
}

function addLocal(
  core: Core,
  matchers: readonly Matcher[],
  start: ConnectRequest['start'],
  granted: readonly Matcher[],
): Connection {
  return core.addLocal({
    wanted: createMatcherSet(matchers, core.options.limits.topicLength),
    granted: createMatcherSet(granted),
    start,
    reconnects: start !== 'head',
    subject: undefined,
    expiresAt: undefined,
    remote: undefined,
    userAgent: undefined,
    protocol: 'process',
  });
}

/** A reader in this process that is called instead of calling. */
export interface Listener {
  /** Takes the items of one delivery. @returns false if no more should come before `drained`. */
  take(items: readonly Item[]): boolean;
  /** The end, unless the listener closed it. `done`: the hub is closing. `cut`: the missing events have to be read anew. */
  over(how: 'done' | 'cut'): void;
}

export interface Listening {
  /** Call it when the listener can take more after it returned false. */
  drained(): void;
  close(): void;
}

/**
 * Like `subscribe` to one topic, from its snapshot on, without a promise for each item: for thousands of readers (`runs`).
 *
 * @throws {TidingsError} `hub/unavailable`.
 */
export function listen(core: Core, topic: string, listener: Listener): Listening {
  const connection = addLocal(core, [topic], 'head', EVERYTHING);
  let isOver = false;
  const over = (how: 'done' | 'cut'): void => {
    if (isOver) return;
    isOver = true;
    listener.over(how);
  };
  const sink: OutputSink = {
    write: (output) => isOver || listener.take((output as ItemBatch).items),
    end() {
      over('done');
      connection.closed();
    },
    destroy: () => over('cut'),
  };
  connection.open(sink, '');
  return {
    drained: () => connection.drained(),
    close() {
      isOver = true;
      connection.closed();
    },
  };
}

type Result = IteratorResult<Item, undefined>;

interface Waiter {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Keeps the last read until the loop has taken it, and asks for more only then. */
class Inbox implements AsyncIterableIterator<Item>, OutputSink {
  readonly #connection: Connection;
  #items: readonly Item[] = [];
  #at = 0;
  readonly #waiters: Waiter[] = [];
  /** `done`: ended in order. `cut`: not; the missing events have to be read anew. */
  #end: 'done' | 'cut' | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  write(output: ItemBatch): boolean {
    this.#items = output.items;
    this.#at = 0;
    this.#hand();
    return this.#waiters.length > 0;
  }

  end(): void {
    this.#finish('done');
    this.#connection.closed();
  }

  destroy(): void {
    this.#finish('cut');
  }

  next(): Promise<Result> {
    const result = new Promise<Result>((resolve, reject) => this.#waiters.push({ resolve, reject }));
    this.#hand();
    if (this.#waiters.length > 0) this.#connection.drained();
    return result;
  }

  /** The loop was left. */
  return(): Promise<Result> {
    this.#items = [];
    this.#finish('done');
    this.#connection.closed();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #finish(end: 'done' | 'cut'): void {
    this.#end ??= end;
    this.#hand();
  }

  /** Gives items to the waiting calls, in turn. */
  #hand(): void {
    while (this.#waiters.length > 0) {
      const value = this.#items[this.#at];
      if (value === undefined && this.#end === undefined) return;
      const waiter = this.#waiters.shift();
      if (value !== undefined) waiter?.resolve({ done: false, value });
      else if (this.#end === 'done') waiter?.resolve({ done: true, value: undefined });
      else waiter?.reject(cutOff());
      this.#at += 1;
    }
  }
}

function cutOff(): unknown {
  const message =
    'The subscription was cut off. Subscribe again with the cursor of the last item you handled.';
  return createError('hub/unavailable', message);
}
