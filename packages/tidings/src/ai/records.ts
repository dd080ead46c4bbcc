import type { Published } from '../hub/hub.ts';
import type { RunsGateway } from '../hub/runs-gateway.ts';
import { createError } from '../protocol/errors.ts';
import type { EventInput } from '../protocol/event.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { RECORDS } from './names.ts';
import type { OpenRuns } from './open-runs.ts';
import { RECORD_TYPE, type RunRecord, type StoredRecord, nameOf } from './record.ts';

/** How often a change is tried again when the record has changed meanwhile, or the log has failed. */
const ATTEMPTS = 5;

/**
 * Reads and changes the runs' records on the log. Every change is a conditional publish, so of several processes that
 * want one, a single process makes it.
 */
export class Records {
  readonly #gateway: RunsGateway;
  /** How long a record stays, by its status, in milliseconds. */
  readonly #ttlOf: (record: RunRecord) => number;

  readonly #open: () => OpenRuns;

  constructor(gateway: RunsGateway, open: () => OpenRuns, ttlOf: (record: RunRecord) => number) {
    this.#gateway = gateway;
    this.#open = open;
    this.#ttlOf = ttlOf;
  }

  /**
   * Begins the run, unless there is one already. Either way, its record as far as it can be found. `before` is published
   * in the same group, if the run begins.
   */
  async begin(
    record: RunRecord,
    before: readonly EventInput[] = [],
  ): Promise<{ readonly isNew: boolean; readonly stored: StoredRecord | undefined }> {
    try {
      return { isNew: true, stored: await this.#publish(record, { ifAbsent: true }, before) };
    } catch (error) {
      if (!isConflict(error)) throw error;
      const seq = Number((error as TidingsError).details['seq']);
      return { isNew: false, stored: await this.#open().reaches(nameOf(record).key, seq) };
    }
  }

  /**
   * Changes a record, if `change` still wants to: it gets the present one, and returns the new one or undefined.
   *
   * @returns undefined if nothing was changed.
   */
  async change(
    known: StoredRecord,
    change: (present: RunRecord) => RunRecord | undefined,
  ): Promise<StoredRecord | undefined> {
    let stored: StoredRecord | undefined = known;
    for (let attempt = 1; stored !== undefined; attempt += 1) {
      const record = change(stored.record);
      if (record === undefined) return undefined;
      try {
        return await this.#publish(record, stored.seq > 0 ? { ifSeq: stored.seq } : { ifAbsent: true });
      } catch (error) {
        if (attempt === ATTEMPTS || !(isConflict(error) || isPassing(error))) throw error;
        stored = await this.#present(stored, error);
      }
    }
    return undefined;
  }

  /** Deletes a record that has not changed since. */
  async remove({ name, seq }: StoredRecord): Promise<void> {
    const topics = [name.chatTopic, name.topic, RECORDS];
    const event = { topics, data: null, type: RECORD_TYPE, key: name.key, tombstone: true };
    await this.#gateway.publish([{ ...event, private: true, ifSeq: seq }]);
  }

  /** Reads the record again after `error`. A log that has lost its newest events may have lost the record too. */
  async #present(stored: StoredRecord, error: unknown): Promise<StoredRecord | undefined> {
    if (!isConflict(error)) return stored;
    const seq = Number((error as TidingsError).details['seq']);
    if (seq > 0) return this.#open().reaches(stored.name.key, seq);
    return stored.record.status === 'running' ? { ...stored, seq: 0 } : undefined;
  }

  async #publish(
    record: RunRecord,
    condition: { readonly ifSeq: number } | { readonly ifAbsent: true },
    before: readonly EventInput[] = [],
  ): Promise<StoredRecord> {
    const name = nameOf(record);
    const event = {
      ...condition,
      topics: [name.chatTopic, name.topic, RECORDS],
      data: record,
      type: RECORD_TYPE,
      key: name.key,
      private: true,
      ttl: this.#ttlOf(record),
    };
    const published = await this.#gateway.publish([...before, event]);
    const stored = { record, name, seq: (published[before.length] as Published).seq };
    this.#open().note(stored);
    return stored;
  }
}

/** A record from an item of a subscription. */
export function storedOf(item: { readonly seq: number; json<T>(): T }): StoredRecord {
  const record = item.json<RunRecord>();
  return { record, name: nameOf(record), seq: item.seq };
}

export function isConflict(error: unknown): boolean {
  return error instanceof TidingsError && error.code === 'event/conflict';
}

/** Whether the log may work again soon. */
function isPassing(error: unknown): boolean {
  return error instanceof TidingsError && ['log/write-failed', 'log/unavailable'].includes(error.code);
}

export function closing(): TidingsError {
  return createError('hub/unavailable', 'This server is going down.', { details: { retryAfter: 1 } });
}

export function tooMany(perSubject: number): TidingsError {
  const message = `${perSubject} answers are being written for you already. Wait for one, or stop one.`;
  return createError('limit/runs', message, { details: { perSubject, retryAfter: 5 } });
}
