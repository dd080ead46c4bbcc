import { type Clock, systemClock } from '../../hub/clock.ts';
import type { ItemEvent } from '../../hub/delivery/items.ts';
import type { Hub } from '../../hub/hub.ts';
import { type RunsGateway, runsGatewayOf } from '../../hub/runs-gateway.ts';
import { RUNS_PREFIX } from '../../protocol/matcher.ts';
import { createError } from '../../protocol/errors.ts';
import {
  type Checks,
  aNumber,
  aString,
  anObjectWith,
  assertOptions,
  invalidOption,
} from '../../protocol/options.ts';
import { TidingsError } from '../../protocol/tidings-error.ts';
import { encodeName } from '../names.ts';
import { closing } from '../records.ts';

/** Options of the ports to other SDKs. Durations in milliseconds. */
export interface PortOptions {
  /** How long a stream can be read after its end. Default 600,000. Then its chunks go; an hour later if its process died. */
  readonly keep?: number;
  /** How long after its process died a stream counts as lost. Default 10,000. */
  readonly lease?: number;
  /**
   * Whose streams these are, such as a user's or a chat's id. The name of a stream is known to its client, and may be guessed
   * by others: in another scope it names another stream. Default: all share one scope.
   */
  readonly scope?: string;
  readonly clock?: Clock;
}

export const PORT_OPTIONS: Checks<PortOptions> = {
  keep: aNumber({ min: 1, finite: true }),
  lease: aNumber({ min: 100, finite: true }),
  scope: aString,
  clock: anObjectWith('a clock', 'now', 'monotonic', 'setTimer', 'defer'),
};

export interface StreamRecord {
  readonly status: 'streaming' | 'done' | 'error';
  /** Names this writing of the stream: chunks of another one aren't its own. */
  readonly token: string;
  readonly error?: string;
}

/** Chunks, as texts, and where they are. */
export interface StoredChunks {
  readonly token: string;
  /** How many come before. */
  readonly from: number;
  readonly chunks: readonly string[];
}

/** The one who writes a stream. Its calls take effect in their order. */
export interface Writer {
  readonly token: string;
  /**
   * @returns how many chunks came before these.
   * @throws {TidingsError} `event/conflict` if the stream ended, or is another's by now.
   */
  append(chunks: readonly string[]): Promise<number>;
  /** @returns false if it had ended, or is another's by now. */
  end(status: 'done' | 'error', error?: string): Promise<boolean>;
}

interface Terms {
  /** How long it can be read after its end. */
  readonly keep: number;
}

const RECORD_KEY = 'record';
const RECORD_TYPE = 'stream';
const CHUNKS_TYPE = 'chunks';
/**
 * How long a stream may be written. Its chunks stay for as long beyond `keep`, in case that their writer dies: a writer
 * that ends removes them after `keep`.
 */
const LONGEST = 3_600_000;
/** The most chunks to remove at once. */
const REMOVED_AT_ONCE = 500;
/** Milliseconds that a record which is being changed may take to arrive. */
const GRACE = 200;
const SNAPSHOT_END = 'snapshot-end';
const GAP = 'gap';

/**
 * Streams that another SDK's server writes, on the log: chunks that it hands over one by one, by a name of its own. A
 * record says who writes; it expires with its writer, whose death readers thereby learn. Each append changes the record, so
 * an older writer appends nothing once there is a newer one.
 */
export class StoredStreams {
  readonly #hub: Hub;
  readonly #gateway: RunsGateway;
  readonly #lease: number;
  readonly #clock: Clock;
  /** What the topics of all streams of the scope begin with. */
  readonly #prefix: string;
  readonly keep: number;

  constructor(hub: Hub, options: PortOptions) {
    this.#gateway = runsGatewayOf(hub);
    assertOptions(options, PORT_OPTIONS);
    this.#hub = hub;
    this.#lease = options.lease ?? 10_000;
    this.#clock = options.clock ?? systemClock;
    this.keep = options.keep ?? 600_000;
    const { scope } = options;
    // As in `{ scope: request.user?.id }`: everybody without a name would share the streams of all.
    if (scope === undefined && 'scope' in options)
      throw invalidOption('scope', 'Expected `scope` to be a non-empty string, got undefined.');
    this.#prefix = `${RUNS_PREFIX}stream/${scope === undefined ? '' : `${encodeName('scope', scope)}/`}`;
  }

  #topicOf(name: string): string {
    return `${this.#prefix}${encodeName('stream', name)}`;
  }

  /** @returns undefined if there is such a stream, ended or not. */
  async begin(name: string, { keep }: Terms = this): Promise<Writer | undefined> {
    const topic = this.#topicOf(name);
    const token = crypto.randomUUID();
    const clock = this.#clock;
    const record: StreamRecord = { status: 'streaming', token };
    let seq: number;
    try {
      seq = await this.#publish(topic, record, this.#lease, { ifAbsent: true });
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
    const begunAt = clock.monotonic();
    let count = 0;
    let last: Promise<unknown> = Promise.resolve();
    let cancel = (): void => {};

    /** One after the other: each changes the record that the one before it has left. */
    function inTurn<T>(work: () => Promise<T>): Promise<T> {
      const result = last.then(work);
      last = result.catch(() => {});
      return result;
    }
    const renew = (): void => {
      cancel = clock.setTimer(
        () => {
          inTurn(async () => {
            if (seq > 0) seq = await this.#publish(topic, record, this.#lease, { ifSeq: seq });
          }).then(renew, (error: unknown) => {
            // Another's by now, or the hub is closed: nothing more to keep. After any other failure, the next may succeed.
            if (!isConflict(error) && !isClosed(error)) renew();
          });
        },
        this.#lease / 3,
        true,
      );
    };
    renew();

    const assertOpen = (): void => {
      if (seq > 0 && clock.monotonic() - begunAt > LONGEST)
        throw createError('run/too-long', `A stream may be written for ${LONGEST} ms.`);
      if (seq > 0) return;
      throw createError('event/conflict', `The stream ${JSON.stringify(name)} has ended.`, {
        details: { seq },
      });
    };
    return {
      token,
      append: (chunks) =>
        inTurn(async () => {
          assertOpen();
          const from = count;
          const data: StoredChunks = { token, from, chunks };
          const event = {
            topics: topic,
            data,
            type: CHUNKS_TYPE,
            key: `${token}/${from}`,
            private: true,
            ttl: keep + LONGEST,
          };
          seq = await this.#publish(topic, record, this.#lease, { ifSeq: seq }, event);
          count += chunks.length;
          return from;
        }),
      end: (status, error) =>
        inTurn(async () => {
          if (seq === 0) return false;
          cancel();
          const ended = { status, token, ...(error !== undefined && { error }) };
          try {
            await this.#publish(topic, ended, keep, { ifSeq: seq });
            clock.setTimer(() => this.#clear(name, token), keep + GRACE, true);
            return true;
          } catch (cause) {
            if (isConflict(cause)) return false;
            throw cause;
          } finally {
            seq = 0;
          }
        }),
    };
  }

  /** The stream's record; undefined if there is none, or its writer died. */
  async find(name: string): Promise<StreamRecord | undefined> {
    return (await this.#look(name)).record;
  }

  /** The stream as the log has it now. */
  async stored(name: string): Promise<readonly StoredChunks[]> {
    const { record, chunks } = await this.#look(name);
    return chunks.filter(({ token }) => token === record?.token);
  }

  /**
   * The stream after so many chunks, live, to its end. Ends without its record if the stream went, because its writer died
   * or somebody deleted it; and when the signal is aborted.
   *
   * @param patience milliseconds that a stream may take to begin.
   */
  async *read(
    name: string,
    after: number,
    signal: AbortSignal,
    patience: number = GRACE,
  ): AsyncGenerator<StoredChunks, StreamRecord | undefined> {
    let token: string | undefined;
    let next = after;
    for (let goesOn = true; goesOn && !signal.aborted;) {
      goesOn = false;
      let early: StoredChunks[] = [];
      try {
        for await (const item of this.#items(name, signal, patience)) {
          if (item === GAP) {
            // A new snapshot has everything again.
            goesOn = true;
            break;
          }
          if (item === SNAPSHOT_END) continue;
          if (item.key === RECORD_KEY) {
            if (item.tombstone) return undefined;
            const record = item.json<StreamRecord>();
            token ??= record.token;
            // Somebody writes it anew: that is another stream.
            if (record.token !== token) return undefined;
            for (const chunks of early) if (chunks.token === token) next = yield* rest(chunks, next);
            early = [];
            if (record.status !== 'streaming') return record;
          } else if (!item.tombstone) {
            const chunks = item.json<StoredChunks>();
            // In a snapshot the record, which changes with each append, comes near the end.
            if (token === undefined) early.push(chunks);
            else if (chunks.token === token) next = yield* rest(chunks, next);
          }
        }
      } catch (error) {
        // A reader that was cut off begins again.
        goesOn = token !== undefined && isUnavailable(error) && !this.#gateway.closing;
        if (!goesOn) throw error;
      }
    }
    return undefined;
  }

  /** Deletes the stream, whoever writes it. */
  async remove(name: string): Promise<void> {
    const { record, keys } = await this.#look(name);
    // The record first: readers leave with it.
    await this.#delete(this.#topicOf(name), [...(record === undefined ? [] : [RECORD_KEY]), ...keys]);
  }

  /** Removes what is left of an ended stream: readers can't tell any more that it was there. */
  #clear(name: string, token: string): void {
    const clear = async (): Promise<void> => {
      const { keys } = await this.#look(name);
      await this.#delete(
        this.#topicOf(name),
        keys.filter((key) => key.startsWith(`${token}/`)),
      );
    };
    // With the hub closed, or its log unavailable, they go by their own time.
    clear().catch(() => {});
  }

  async #delete(topic: string, keys: readonly string[]): Promise<void> {
    for (let i = 0; i < keys.length; i += REMOVED_AT_ONCE) {
      const some = keys.slice(i, i + REMOVED_AT_ONCE);
      await this.#gateway.publish(
        some.map((key) => ({ topics: topic, data: null, key, tombstone: true, private: true })),
      );
    }
  }

  async #look(name: string): Promise<{
    readonly record: StreamRecord | undefined;
    readonly chunks: readonly StoredChunks[];
    readonly keys: readonly string[];
  }> {
    let record: StreamRecord | undefined;
    let isOver = false;
    const chunks = new Map<string, StoredChunks>();
    for await (const item of this.#items(name, new AbortController().signal, GRACE)) {
      if (item === SNAPSHOT_END) isOver = true;
      else if (item === GAP) continue;
      else if (item.key === RECORD_KEY) record = item.tombstone ? undefined : item.json<StreamRecord>();
      else if (item.key !== undefined && !item.tombstone) chunks.set(item.key, item.json<StoredChunks>());
      if (isOver && record !== undefined) break;
    }
    return { record, chunks: [...chunks.values()], keys: [...chunks.keys()] };
  }

  /**
   * The items on the stream's topic. While a record changes, a snapshot may have neither its old value nor the new one,
   * which comes right after it: it ends for want of a record only a moment later.
   */
  async *#items(
    name: string,
    signal: AbortSignal,
    patience: number,
  ): AsyncGenerator<ItemEvent | typeof SNAPSHOT_END | typeof GAP> {
    const controller = new AbortController();
    const leave = (): void => controller.abort();
    signal.addEventListener('abort', leave);
    if (signal.aborted) leave();
    let isThere = false;
    let cancel = (): void => {};
    try {
      for await (const item of this.#hub.subscribe(this.#topicOf(name), { signal: controller.signal })) {
        if (item.kind === 'gap') yield GAP;
        else if (item.kind === 'state' || item.kind === 'event') {
          isThere ||= item.key === RECORD_KEY;
          if (isThere) cancel();
          yield item;
        } else if (item.kind === 'cursor' || item.cursor !== undefined) {
          if (!isThere) cancel = this.#clock.setTimer(leave, patience);
          yield SNAPSHOT_END;
        }
      }
      if (!controller.signal.aborted) throw closing();
    } finally {
      cancel();
      signal.removeEventListener('abort', leave);
    }
  }

  /** @returns the record's new seq. */
  async #publish(
    topic: string,
    record: StreamRecord,
    ttl: number,
    condition: { readonly ifSeq: number } | { readonly ifAbsent: true },
    ...more: Parameters<RunsGateway['publish']>[0]
  ): Promise<number> {
    const event = {
      ...condition,
      topics: topic,
      data: record,
      type: RECORD_TYPE,
      key: RECORD_KEY,
      private: true,
      ttl,
    };
    const [published] = await this.#gateway.publish([event, ...more]);
    return published?.seq ?? 0;
  }
}

/** The part of them that the reader doesn't have. @returns how many it has then. */
function* rest(stored: StoredChunks, next: number): Generator<StoredChunks, number> {
  const { token, from, chunks } = stored;
  const end = from + chunks.length;
  if (end <= next) return next;
  const missing = Math.max(0, next - from);
  yield { token, from: from + missing, chunks: chunks.slice(missing) };
  return end;
}

function isUnavailable(error: unknown): boolean {
  return error instanceof TidingsError && error.code === 'hub/unavailable';
}

function isClosed(error: unknown): boolean {
  return isUnavailable(error) || (error instanceof TidingsError && error.code === 'log/closed');
}

function isConflict(error: unknown): boolean {
  return error instanceof TidingsError && error.code === 'event/conflict';
}
