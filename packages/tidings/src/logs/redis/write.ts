import {
  type Answer,
  type LogEntry,
  type NewEvent,
  type Retention,
  SUPERSEDED_ID_WINDOW,
  TidingsError,
  type TopicRules,
  createLogError,
  entryOf,
} from '../../log/index.ts';
import { type Batch, toAnswers, toBatch } from './batch.ts';
import type { FencedScript } from './eval.ts';
import { toBounds } from './records.ts';
import { type Reply, replyCode } from './replies.ts';
import { toExpiry } from './store.ts';

/** The most events a script trims beyond those it appends, and the most topics it trims. */
const TRIM_STEP = 1000;
/** Milliseconds before a call without an answer is sent again. */
const RETRY = 50;
/** Topics whose newest loss is known by name. */
const MAX_LOSSES = 100_000;

export interface WriterOptions {
  readonly script: FencedScript;
  readonly prefix: string;
  /** This process. */
  readonly id: string;
  readonly rules: TopicRules;
  readonly retention: Retention;
  /** Undefined: Redis's own clock. */
  readonly now: (() => number) | undefined;
  /** Milliseconds to wait for an answer. */
  readonly timeout: number;
}

/** The events of several calls of `append`, how many each has, and the log's epoch when they were made. */
export interface Calls {
  readonly events: readonly NewEvent[];
  readonly lengths: readonly number[];
  readonly epoch: string;
}

export interface Written {
  readonly answers: readonly Answer[];
  readonly entries: readonly LogEntry[];
  /** The seq of the newest event that the log had before: of an answer that names it. */
  readonly known: number;
  readonly epoch: string;
  readonly head: number;
  readonly floor: number;
  readonly newestLoss: number;
  readonly lossCount: number;
  /** When the next key expires; Infinity if none does. */
  readonly nextExpiry: number;
  /** The log's time. */
  readonly time: number;
  /** Whether newer values have taken topics from events that are still in the log. */
  readonly hasLeft: boolean;
}

export interface Writer {
  /** Appends, and repeats the call until the answer comes. */
  append(calls: Calls): Promise<Written>;
  /** Trims and expires, and finds out whether the server may have lost the end of the log. `swept`: topics and bounds. */
  trim(epoch: string, swept?: readonly string[]): Promise<Written>;
}

export function createWriter(options: WriterOptions): Writer {
  const { script, prefix, id, rules, now, timeout } = options;
  const bounds = toBounds(options.retention);
  let calls = 0;

  async function run({ events, lengths, epoch }: Calls, swept: readonly string[] = []): Promise<Written> {
    calls += 1;
    const batch = toBatch(events, lengths, rules);
    const reply = await runUntilAnswered([
      prefix,
      events.length === 0 ? '' : id,
      String(calls),
      now === undefined ? '' : String(now()),
      ...bounds,
      String(SUPERSEDED_ID_WINDOW),
      String(TRIM_STEP),
      String(MAX_LOSSES),
      String(batch.counts.length),
      epoch,
      String(batch.calls.length),
      ...batch.args,
      ...batch.calls.map(String),
      ...swept,
    ]);
    return toWritten(reply, events, batch);
  }

  /** A connection may break before the answer comes. The script knows a call that it has seen, and repeats its answer. */
  async function runUntilAnswered(args: readonly string[]): Promise<Reply> {
    const deadline = performance.now() + timeout;
    for (;;) {
      try {
        return await script.run(args, Math.max(1, deadline - performance.now()));
      } catch (error) {
        if (!(error instanceof TidingsError)) throw explained(error);
        if (performance.now() + RETRY > deadline) throw error;
        await new Promise((resolve) => void setTimeout(resolve, RETRY));
      }
    }
  }

  return {
    append: (given) => run(given),
    trim: (epoch, swept) => run({ events: [], lengths: [], epoch }, swept),
  };
}

function toWritten(reply: Reply, events: readonly NewEvent[], batch: Batch): Written {
  const [texts, epoch, head, floor, newestLoss, lossCount, at, left, expiry] = reply as readonly [
    readonly string[],
    string,
    ...string[],
  ];
  const answers = toAnswers(texts, batch, events);
  const entries: LogEntry[] = [];
  let known = 0;
  for (const [i, each] of answers.entries()) {
    if (each instanceof TidingsError) continue;
    if (each.duplicate || each.wait !== undefined) known = Math.max(known, each.seq);
    else entries.push(entryOf(events[i] as NewEvent, each.seq, Number(at)));
  }
  return {
    answers,
    entries,
    known,
    epoch,
    head: Number(head),
    floor: Number(floor),
    newestLoss: Number(newestLoss),
    lossCount: Number(lossCount),
    nextExpiry: toExpiry(expiry),
    time: Number(at),
    hasLeft: Number(left) > 0,
  };
}

/** `script.ts` has the codes that begin with TIDINGS. */
function explained(error: unknown): unknown {
  return replyCode(error) === 'TIDINGS-EMPTY' ? deletedError(error) : error;
}

export function deletedError(cause?: unknown): TidingsError {
  return createLogError('log/unavailable', 'The log was deleted from Redis while it was open.', { cause });
}
