import {
  type Appended,
  type LogEntry,
  type NewEvent,
  type Retention,
  type TopicRules,
  SUPERSEDED_ID_WINDOW,
  TidingsError,
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
  readonly rules: TopicRules;
  readonly retention: Retention;
  /** Undefined: the server's clock, which all processes share. */
  readonly now: (() => number) | undefined;
  readonly isRelaxed: boolean;
  /** Milliseconds to wait for an answer. */
  readonly timeout: number;
}

/** A group with bounds of its own. */
export interface Group {
  readonly name: string;
  readonly retention: Retention;
}

export interface Written {
  readonly appended: readonly Appended[];
  readonly entries: readonly LogEntry[];
  readonly epoch: string;
  readonly head: number;
  readonly floor: number;
  readonly newestLoss: number;
  readonly lossCount: number;
}

export interface Writer {
  /** Appends, and repeats the call until the answer comes. `channel` is notified by the same transaction. */
  append(events: readonly NewEvent[], channel: string | null): Promise<Written>;
  /** Trims, and finds out whether the server may have lost the end of the log. */
  trim(groups?: readonly Group[]): Promise<Written>;
  /** Appends events of the outbox, whose rows go with it, in a transaction that is under way. */
  move(run: Run, events: readonly NewEvent[], rows: readonly number[], channel: string): Promise<Written>;
}

const APPEND = `SELECT array_to_string(answer, ','), epoch, head, floor, newest_loss, loss_count, at
  FROM SCHEMA.append(${Array.from({ length: 31 }, (_, i) => `$${i + 1}`).join(', ')})`;
const NO_EVENTS: readonly unknown[] = Array.from({ length: 15 }, () => null);

export function createWriter(options: WriterOptions): Writer {
  const { store, node, rules, retention, now, isRelaxed, timeout } = options;
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
        const rows = database.isolate
          ? await database.transaction((run) => run(sql(APPEND), values))
          : await database.run(sql(APPEND), values);
        return rows[0] as Row;
      } catch (error) {
        if (!(error instanceof TidingsError)) throw explained(error);
        if (performance.now() + RETRY > deadline) throw error;
        await new Promise((resolve) => void setTimeout(resolve, RETRY));
      }
    }
  }

  return {
    async append(events, channel) {
      calls += 1;
      const values = argumentsOf(calls, channel, toArguments(events, rules));
      return toWritten(await runUntilAnswered(values), events);
    },
    async trim(groups = []) {
      const values = argumentsOf(null, null, [...NO_EVENTS, ...toGroupArguments(groups)]);
      return toWritten(await runUntilAnswered(values), []);
    },
    async move(run, events, rows, channel) {
      const values = argumentsOf(null, channel, toArguments(events, rules), rows);
      const [row] = await run(sql(APPEND), values);
      return toWritten(row as Row, events);
    },
  };
}

function toWritten(row: Row, events: readonly NewEvent[]): Written {
  const [answer, epoch, head, floor, newestLoss, lossCount, at] = row;
  const seqs = events.length === 0 ? [] : (answer ?? '').split(',').map(Number);
  const appended = seqs.map((seq) => ({ seq: Math.abs(seq), duplicate: seq < 0 }));
  const entries = events.flatMap((event, i) => {
    const { seq, duplicate } = appended[i] as Appended;
    return duplicate ? [] : [entryOf(event, seq, Number(at))];
  });
  return {
    appended,
    entries,
    epoch: epoch ?? '',
    head: Number(head),
    floor: Number(floor),
    newestLoss: Number(newestLoss),
    lossCount: Number(lossCount),
  };
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
