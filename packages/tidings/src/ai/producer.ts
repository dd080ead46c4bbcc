import type { RunsGateway } from '../hub/runs-gateway.ts';
import { createError } from '../protocol/errors.ts';
import { type NewEvent, encodeData } from '../protocol/event.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { isDelta, mergeDeltas } from './merge.ts';
import type { RunName } from './names.ts';
import type { ResolvedRunsOptions } from './options.ts';
import { CHUNKS_TYPE, type EndStatus, type RunError } from './record.ts';

/** The result of an app's producer. */
export type Source = AsyncIterable<unknown> | ReadableStream<unknown>;
export type Produce = (signal: AbortSignal) => Source | Promise<Source>;

/** The next result of an iterator, if it is one. */
type Next = IteratorResult<unknown, unknown> | undefined;

/** How a run ended, before the log knows it. */
export interface Ending {
  readonly status: EndStatus;
  readonly error?: RunError;
}

/** Chunks that wait for the log: no more are read meanwhile. */
const MAX_PENDING_CHUNKS = 256;
/** Chunks that are read without giving others a turn. */
const MAX_IN_TURN = 256;
/** A batch is published when its text is about this long. */
const MAX_PENDING_LENGTH = 65_536;

/**
 * Reads one source to its end and publishes its chunks, whoever watches. Its states are *reading* (until `#ending` is
 * set), *ending* (until the last chunk is in the log) and over, when `onEnding` is called. It publishes nothing before
 * the log has the run's record: `recorded` says so.
 */
export class Producer {
  readonly startedAt: number;
  readonly #gateway: RunsGateway;
  readonly #topics: readonly [string];
  readonly #options: ResolvedRunsOptions;
  readonly #onEnding: (ending: Ending) => void;
  readonly #controller = new AbortController();
  #iterator: AsyncIterator<unknown> | undefined;
  #pending: unknown[] = [];
  #pendingLength = 0;
  /** How many chunks have been published or are being published. */
  #position = 0;
  #published = 0;
  #length = 0;
  /** How many chunks have been read. */
  #taken = 0;
  #publishedAt = -Infinity;
  /** First the run's record, then one batch at a time. */
  #isPublishing = true;
  /** The source is not asked for more until the log has taken what waits. */
  #isPaused = false;
  #cancelTimer: (() => void) | undefined;
  #ending: Ending | undefined;
  #isOver = false;

  constructor(
    gateway: RunsGateway,
    name: RunName,
    options: ResolvedRunsOptions,
    onEnding: (ending: Ending) => void,
  ) {
    this.#gateway = gateway;
    this.#topics = [name.topic];
    this.#options = options;
    this.#onEnding = onEnding;
    this.startedAt = options.clock.monotonic();
  }

  /** Calls the app, unless the run has been ended before that, and reads on until the end. */
  start(produce: Produce): void {
    if (this.#ending !== undefined) return;
    Promise.resolve()
      .then(() => produce(this.#controller.signal))
      .then((source) => {
        this.#iterator = iteratorOf(source);
        if (this.#ending === undefined) this.#pull();
        else this.#leave();
      })
      .catch((error: unknown) => this.#fail(error));
  }

  /** How many chunks the log has. */
  get position(): number {
    return this.#published;
  }

  /** The log has the run's record: chunks may follow. */
  recorded(): void {
    this.#onPublished();
  }

  /** There is no such run, or it is another producer's: nothing of this one is published. */
  discard(): void {
    this.#isOver = true;
    this.end({ status: 'stopped' });
  }

  /** Ends the run. Aborts the signal that the source was given, without waiting for the source. */
  end(ending: Ending): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    if (ending.status !== 'done') {
      this.#controller.abort(reasonOf(ending));
      this.#leave();
    }
    this.#flush();
  }

  #pull(): void {
    try {
      Promise.resolve(this.#iterator?.next() as Next | Promise<Next>).then(this.#onNext, this.#onError);
    } catch (error) {
      this.#fail(error);
    }
  }

  // Made once for each run, not once for each token (`runs`).
  readonly #onError = (error: unknown): void => this.#fail(error);
  readonly #onNext = (next: Next): void => {
    if (this.#ending !== undefined) return;
    try {
      const { done = false, value } = next as IteratorResult<unknown, unknown>;
      if (done) this.end({ status: 'done' });
      else this.#add(value);
    } catch (error) {
      this.#fail(error);
    }
  };

  #add(chunk: unknown): void {
    if (chunk instanceof Uint8Array) {
      throw createError(
        'event/invalid-data',
        'A run takes chunks that JSON can represent; got bytes. Decode them first.',
      );
    }
    if (chunk !== undefined) {
      const { length } = this.#pending;
      const merged = length === 0 ? undefined : this.#options.merge(this.#pending[length - 1], chunk);
      if (merged === undefined) this.#pending.push(chunk);
      else this.#pending[length - 1] = merged;
      this.#pendingLength += roughLength(chunk);
      this.#schedule();
    }
    this.#isPaused = this.#isFull;
    if (this.#isPaused) return;
    this.#taken += 1;
    if (this.#taken % MAX_IN_TURN > 0) return this.#pull();
    // A source that never waits, as from a cache, would leave others no turn.
    this.#options.clock.defer(() => this.#pull());
  }

  get #isFull(): boolean {
    return this.#pending.length >= MAX_PENDING_CHUNKS || this.#pendingLength >= MAX_PENDING_LENGTH;
  }

  /** The first chunk leaves at once; what follows within the window leaves together at its end. */
  #schedule(): void {
    const { clock, mergeWindow } = this.#options;
    if (this.#isPublishing) return;
    const wait = this.#publishedAt + mergeWindow - clock.monotonic();
    if (wait <= 0 || this.#isFull) return this.#flush();
    this.#cancelTimer ??= clock.setTimer(() => this.#flush(), wait);
  }

  #flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#isPublishing || this.#isOver) return;
    if (this.#pending.length === 0) return this.#finishIfEnding();
    const { clock } = this.#options;
    const from = this.#position;
    const chunks = this.#pending;
    this.#pending = [];
    this.#pendingLength = 0;
    this.#isPublishing = true;
    // Only deltas make others wait: what comes before the first of them must not delay it.
    if (chunks.some(this.#isDelta)) this.#publishedAt = clock.monotonic();
    this.#position += chunks.length;
    try {
      this.#gateway.append(this.#toEvent(from, chunks)).then(this.#onPublished, this.#onRefused);
    } catch (error) {
      this.#onRefused(error);
    }
  }

  /** @throws {TidingsError} `run/too-large`, `event/invalid-data`. */
  #toEvent(from: number, chunks: readonly unknown[]): NewEvent {
    const { maxLength } = this.#options;
    const data = encodeData({ from, chunks }, false);
    this.#length += data.length;
    if (this.#length > maxLength) {
      const message = `The chunks of a run may have ${maxLength} characters.`;
      throw createError('run/too-large', message, { details: { maxLength } });
    }
    return {
      topics: this.#topics,
      type: CHUNKS_TYPE,
      data,
      id: undefined,
      key: String(from),
      tombstone: false,
      private: true,
      ttl: ttlOfChunks(this.#options),
    };
  }

  /** Two of the same can be merged only if they are deltas. */
  readonly #isDelta = (chunk: unknown): boolean => {
    const { merge } = this.#options;
    return merge === mergeDeltas ? isDelta(chunk) : merge(chunk, chunk) !== undefined;
  };

  readonly #onRefused = (error: unknown): void => {
    this.#isPublishing = false;
    // Later chunks would leave a hole where these belong.
    this.#pending = [];
    // The source has ended well, but its answer isn't whole.
    if (this.#ending?.status === 'done') this.#ending = undefined;
    this.#fail(error);
    this.#finishIfEnding();
  };

  readonly #onPublished = (): void => {
    this.#isPublishing = false;
    this.#published = this.#position;
    if (this.#ending !== undefined) return this.#flush();
    if (this.#pending.length > 0) this.#schedule();
    if (!this.#isPaused || this.#isFull) return;
    this.#isPaused = false;
    this.#pull();
  };

  #finishIfEnding(): void {
    if (this.#ending === undefined || this.#isOver) return;
    this.#isOver = true;
    this.#onEnding(this.#ending);
  }

  #fail(error: unknown): void {
    if (this.#ending !== undefined) return;
    const { errorText, onError } = this.#options;
    onError(error);
    const isOurs = error instanceof TidingsError;
    const text = isOurs && error.code.startsWith('run/') ? error.message : errorText(error);
    this.end({ status: 'failed', error: { code: isOurs ? error.code : 'run/failed', text } });
  }

  #leave(): void {
    const leave = async (): Promise<void> => {
      await this.#iterator?.return?.();
    };
    // A source that doesn't listen to the signal may never answer; its errors have no reader any more.
    leave().catch(() => {});
  }
}

/** Longer than the run's record, by which everybody judges whether the answer is still there. */
export function ttlOfChunks({ keep, maxDuration, lease }: ResolvedRunsOptions): number {
  return keep + maxDuration + lease;
}

function reasonOf({ status, error }: Ending): DOMException {
  return new DOMException(error?.text ?? `The run was ${status}.`, 'AbortError');
}

/** Reads a stream also where streams aren't iterable, as in Safari. */
function iteratorOf(source: Source): AsyncIterator<unknown> {
  if (typeof source === 'object' && source !== null) {
    if (Symbol.asyncIterator in source) return source[Symbol.asyncIterator]();
    const { getReader } = source as Partial<ReadableStream<unknown>>;
    if (getReader !== undefined) {
      const reader = (source as ReadableStream<unknown>).getReader();
      return {
        next: async () => {
          const { done, value } = await reader.read();
          return done ? { done: true, value: undefined } : { done: false, value };
        },
        return: async () => {
          await reader.cancel();
          return { done: true, value: undefined };
        },
      };
    }
  }
  throw createError(
    'event/invalid-data',
    'Expected the producer of a run to return an AsyncIterable or a ReadableStream.',
  );
}

/** About how long a chunk is as JSON, for the size of batches: most are a short delta. */
function roughLength(chunk: unknown): number {
  if (typeof chunk === 'string') return chunk.length;
  if (typeof chunk !== 'object' || chunk === null) return 8;
  let length = 16;
  // Without an array for each token (`runs`).
  for (const name in chunk) {
    const value: unknown = (chunk as Readonly<Record<string, unknown>>)[name];
    if (typeof value === 'string') length += value.length;
    else if (typeof value === 'object' && value !== null) length += JSON.stringify(value).length;
  }
  return length;
}
