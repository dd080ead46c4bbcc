import { type RunName, nameRun } from './names.ts';

/**
 * How a run ended:
 *
 * - `done`: the producer finished.
 * - `stopped`: somebody stopped it, or the app closed.
 * - `failed`: the producer threw, or the run exceeded a limit; `error` says more.
 * - `abandoned`: nobody watched it for `abandonAfter`.
 * - `lost`: the process that produced it died.
 */
export type EndStatus = 'done' | 'stopped' | 'failed' | 'abandoned' | 'lost';
export type RunStatus = 'running' | EndStatus;

/** Why a run failed, as viewers may read it. */
export interface RunError {
  readonly code: string;
  readonly text: string;
}

/** A run as the log knows it: a value on the topics of the chat, the run and all records. */
export interface RunRecord {
  readonly chat: string;
  readonly id: string;
  /** Whom the run counts for. */
  readonly subject?: string;
  /** A stable name for the message that the run writes. */
  readonly messageId: string;
  /** The process that produces it. */
  readonly owner: string;
  readonly status: RunStatus;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt?: number;
  /** How many chunks it has, once it has ended; unknown if it is lost. */
  readonly length?: number;
  readonly error?: RunError;
  /** The process that is giving the answer to `onEnd`, and whether it has. */
  readonly handingOver?: string;
  readonly handedOver?: boolean;
}

/** A record with its position in the log, for conditions. */
export interface StoredRecord {
  readonly record: RunRecord;
  readonly name: RunName;
  readonly seq: number;
}

/** The event types on a run's topic. */
export const RECORD_TYPE = 'run';
export const CHUNKS_TYPE = 'chunks';

/** Adjacent chunks, as one event. */
export interface Batch {
  /** The position of the first one: how many chunks come before. */
  readonly from: number;
  readonly chunks: readonly unknown[];
}

export function nameOf({ chat, id }: RunRecord): RunName {
  return nameRun(chat, id);
}

/** The run that a viewer of a chat wants: the newest that is running, else the newest. */
export function currentOf(records: readonly StoredRecord[]): StoredRecord | undefined {
  const rank = ({ record }: StoredRecord): number =>
    record.startedAt + (record.status === 'running' ? Number.MAX_SAFE_INTEGER / 2 : 0);
  return records.reduce<StoredRecord | undefined>(
    (best, each) => (best === undefined || rank(each) >= rank(best) ? each : best),
    undefined,
  );
}
