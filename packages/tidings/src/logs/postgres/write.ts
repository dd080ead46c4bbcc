import {
  type Answer,
  type LogEntry,
  type NewEvent,
  type Retention,
  type TopicRules,
  SUPERSEDED_ID_WINDOW,
  TidingsError,
  conflictError,
  createLogError,
  entryOf,
} from '../../log/index.ts';
import { type Row, type Run, isAnswer } from './database.ts';
import { toArguments, toBounds, toGroupArguments } from './records.ts';
import type { Store } from './store.ts';

/** Topics whose newest loss is known by name. */
const MAX_LOSSES = 100_000;
/** Milliseconds before a call without an answer is sent again. */
const RETRY = 50;

export interface WriterOptions {
  readonly store: Store;
  /** This process, in the table `nodes`. */
  readonly node: string;
  /** Enters it there again. */
  readonly sign: () => Promise<void>;
  readonly rules: TopicRules;
  readonly retention: Retention;
  /** Undefined: the server's clock, which all processes share. */
  readonly now: (() => number) | undefined;
  readonly isRelaxed: boolean;
  /** Milliseconds to wait for an answer. */
  readonly timeout: number;
}

/** The events of several calls of `append`, how many each has, and the log's epoch when they were made. */
export interface Calls {
  readonly events: readonly NewEvent[];
  readonly lengths: readonly number[];
  readonly epoch: string;
}

/** A group with bounds of its own. */
export interface Group {
  readonly name: string;
  readonly retention: Retention;
}

export interface Written {
  readonly answers: readonly Answer[];
  readonly entries: readonly LogEntry[];
  readonly epoch: string;
  readonly head: number;
  readonly floor: number;
  readonly newestLoss: number;
  readonly lossCount: number;
  /** When the next key expires; Infinity if none does. */
  readonly nextExpiry: number;
  /** The log's time. */
  readonly time: number;
}

export interface Writer {
  /** Appends, and repeats the call until the answer comes. `channel` is notified by the same transaction. */
  append(calls: Calls, channel: string | null): Promise<Written>;
  /** Trims and expires, and finds out whether the server may have lost the end of the log. */
  trim(channel: string | null, groups?: readonly Group[]): Promise<Written>;
  /** Appends events of the outbox, whose rows go with it, in a transaction that is under way. */
  move(run: Run, events: readonly NewEvent[], rows: readonly number[], channel: string): Promise<Written>;
}

const APPEND = `SELECT answer, epoch, head, floor, newest_loss, loss_count, at, next_expiry
  FROM SCHEMA.append(${Array.from({ length: 38 }, (_, i) => `$${i + 1}`).join(', ')})`;
const NO_EVENTS: readonly unknown[] = Array.from({ length: 22 }, () => null);

export function createWriter(options: WriterOptions): Writer {
  const { store, node, sign, rules, retention, now, isRelaxed, timeout } = options;
  const { database, sql } = store;
  let calls = 0;

  function argumentsOf(
    call: number | null,
    channel: string | null,
    rest: readonly unknown[],
    moved: readonly number[] | null = null,
  ): readonly unknown[] {
    return [
      call === null ? null : node,
      call,
      Math.ceil(timeout / 2),
      now?.() ?? null,
      isRelaxed,
      channel,
      ...toBounds(retention),
      ...rest,
      SUPERSEDED_ID_WINDOW,
      MAX_LOSSES,
      moved,
    ];
  }

  async function runUntilAnswered(values: readonly unknown[]): Promise<Row> {
    const deadline = performance.now() + timeout;
    for (;;) {
      try {
        const within = Math.max(1, deadline - performance.now());
        const rows = database.isolate
          ? await database.transaction((run) => run(sql(APPEND), values), within)
          : await database.run(sql(APPEND), values, within);
        return rows[0] as Row;
      } catch (error) {
        // Nothing was appended; entered anew, the call is the process's first one there.
        const isUnknown = isAnswer(error) && error.code === 'TID04';
        if (!isUnknown && !(error instanceof TidingsError)) throw explained(error);
        if (isUnknown && performance.now() < deadline) await sign();
        if (performance.now() + RETRY > deadline) throw error;
        await new Promise((resolve) => void setTimeout(resolve, RETRY));
      }
    }
  }

  return {
    async append({ events, lengths, epoch }, channel) {
      calls += 1;
      const values = argumentsOf(calls, channel, toArguments(events, lengths, epoch, rules));
      return toWritten(await runUntilAnswered(values), events, lengths);
    },
    async trim(channel, groups = []) {
      const values = argumentsOf(null, channel, [...NO_EVENTS, ...toGroupArguments(groups)]);
      return toWritten(await runUntilAnswered(values), [], []);
    },
    async move(run, events, rows, channel) {
      const lengths = [events.length];
      const values = argumentsOf(null, channel, toArguments(events, lengths, '', rules), rows);
      const [row] = await run(sql(APPEND), values);
      return toWritten(row as Row, events, lengths);
    },
  };
}

function toWritten(row: Row, events: readonly NewEvent[], lengths: readonly number[]): Written {
  const [answer, epoch, head, floor, newestLoss, lossCount, at, nextExpiry] = row;
  const answers = toAnswers(events.length === 0 ? [] : (answer ?? '').split(';'), events, lengths);
  const entries = events.flatMap((event, i) => {
    const each = answers[i] as Answer;
    if (each instanceof TidingsError || each.duplicate || each.wait !== undefined) return [];
    return [entryOf(event, each.seq, Number(at))];
  });
  return {
    answers,
    entries,
    epoch: epoch ?? '',
    head: Number(head),
    floor: Number(floor),
    newestLoss: Number(newestLoss),
    lossCount: Number(lossCount),
    nextExpiry: typeof nextExpiry === 'string' ? Number(nextExpiry) : Infinity,
    time: Number(at),
  };
}

/** The function's answers, an event each: see its end. */
function toAnswers(
  texts: readonly string[],
  events: readonly NewEvent[],
  lengths: readonly number[],
): readonly Answer[] {
  let start = 0;
  return lengths.flatMap((length) => {
    const call = events.slice(start, start + length);
    const answers = texts.slice(start, start + length).map((text) => toAnswer(text, call));
    start += length;
    return answers;
  });
}

function toAnswer(text: string, call: readonly NewEvent[]): Answer {
  const [first = 0, second = 0] = text
    .replace(/^[-wx]/, '')
    .split(',')
    .map(Number);
  switch (text.charAt(0)) {
    case '-':
      return { seq: first, duplicate: true };
    case 'w':
      return { seq: second, duplicate: false, wait: first };
    case 'x':
      // The call's event whose condition failed, and the seq of that key's value.
      return conflictError(call[first] as NewEvent, second);
    default:
      return { seq: first, duplicate: false };
  }
}

/** `functions.ts` has the codes that begin with TID. */
function explained(error: unknown): unknown {
  if (!isAnswer(error)) return error;
  const isGone = ['TID01', '3F000', '42P01', '42883'].includes(error.code);
  return isGone
    ? createLogError('log/unavailable', 'The log was deleted from PostgreSQL while it was open.', {
        cause: error,
      })
    : error;
}
