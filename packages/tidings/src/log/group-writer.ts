import type { NewEvent } from '../protocol/event.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { createLogError } from './errors.ts';
import type { Appended } from './event-log.ts';

/** The answer for one event: a call is refused if it has an error among its answers. */
export type Answer = Appended | TidingsError;

type Write = (events: readonly NewEvent[], calls: readonly number[]) => Promise<readonly Answer[]>;

/** A call of `append`; without events, of `trim`. */
interface Waiting {
  readonly events: readonly NewEvent[];
  readonly resolve: (appended: readonly Appended[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Writes the events of several calls as one group: while a transaction runs, calls gather for the next. */
export class GroupWriter {
  readonly #write: Write;
  readonly #maxGroup: number;
  readonly #gather: (() => Promise<void>) | undefined;
  readonly #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  /**
   * `write` is called again only once its promise has settled. It is given at most `maxGroup` events, unless a single
   * call has more, and how many of them each call has. It answers one by one: an error rejects the event's call alone.
   *
   * `gather` resolves when a group may begin. An engine that is far away lets everybody who publishes in this turn go
   * with it, such as publishers that have just been answered: otherwise the first of them goes by itself.
   */
  constructor(write: Write, maxGroup = 10_000, gather?: () => Promise<void>) {
    this.#write = write;
    this.#maxGroup = maxGroup;
    this.#gather = gather;
  }

  /**
   * @throws {TidingsError} `log/write-failed`, or the error of `write` if that is a `TidingsError` itself. With
   * `log/unavailable`, calls that wait for their turn are rejected, too.
   */
  append(events: readonly NewEvent[]): Promise<readonly Appended[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ events, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Resolves once everything has been written. */
  async finish(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (this.#gather !== undefined) await this.#gather();
      const group = this.#takeGroup();
      try {
        await this.#writeGroup(group);
      } catch (cause) {
        const message = 'The log could not be written; nothing was appended.';
        const details = { retryAfter: 5 };
        const error =
          cause instanceof TidingsError
            ? cause
            : createLogError('log/write-failed', message, { details, cause });
        for (const { reject } of group) reject(error);
        // Those that have waited meanwhile would wait for the engine a second time, one group after another.
        if (error.code === 'log/unavailable')
          for (const { reject } of this.#waiting.splice(0)) reject(notWritten(error));
      }
    }
    this.#writing = undefined;
  }

  #takeGroup(): Waiting[] {
    let size = 0;
    let count = 0;
    for (const { events } of this.#waiting) {
      if (count > 0 && size + events.length > this.#maxGroup) break;
      size += events.length;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    const events = group.flatMap((each) => each.events);
    const answers = await this.#write(
      events,
      group.map((each) => each.events.length),
    );
    let start = 0;
    for (const { events: own, resolve, reject } of group) {
      const given = answers.slice(start, start + own.length);
      const refusal = given.find((answer) => answer instanceof TidingsError);
      if (refusal === undefined) resolve(given as readonly Appended[]);
      else reject(refusal);
      start += own.length;
    }
  }
}

function notWritten(cause: TidingsError): TidingsError {
  const message = 'The log is unavailable; nothing was appended.';
  return createLogError('log/unavailable', message, { details: cause.details, cause });
}
