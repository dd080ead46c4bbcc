/** Runs one case of a log's contract in bounded time, and closes its logs at the end. */
import assert from 'node:assert/strict';
import type { EventLog } from '../log/event-log.ts';
import type { Retention } from '../log/retention.ts';
import type { TopicRule } from '../log/topic-rules.ts';

export interface OpenLogOptions {
  readonly retention: Retention;
  /** For `createTopicRules`. */
  readonly topics: readonly TopicRule[];
  /** Milliseconds since 1970: the log must take its time from here. */
  readonly now: () => number;
}

/** Opens a new, empty log of the engine under test. */
export type LogFactory = (options: OpenLogOptions) => EventLog | Promise<EventLog>;

export interface ContractCase {
  /** A sentence that states one duty of an engine. */
  readonly name: string;
  /**
   * Rejects with an AssertionError if the engine fails it. A log that doesn't answer within `within` milliseconds fails
   * too; default 20,000.
   */
  readonly run: (open: LogFactory, within?: number) => Promise<void>;
}

/** The time of day that a log under test is given. */
export interface TestTime {
  /** Milliseconds since 1970. */
  now: number;
}

const WITHIN = 20_000;

/** A case with one log. Time stands still unless the case moves it. */
export function oneLog(
  name: string,
  options: Partial<Pick<OpenLogOptions, 'retention' | 'topics'>>,
  test: (log: EventLog, time: TestTime) => Promise<void>,
): ContractCase {
  return {
    name,
    async run(open, within = WITHIN) {
      const time: TestTime = { now: 1_700_000_000_000 };
      const opening = open({ retention: {}, topics: [], ...options, now: () => time.now });
      const log = await finish('Opening the log', opening, within);
      try {
        await finish('The case', test(log, time), within);
      } finally {
        await finish('Closing the log', log.close(), within);
      }
    },
  };
}

/** @throws {AssertionError} if `work` takes longer than `within` milliseconds. */
export async function finish<T>(what: string, work: T | Promise<T>, within: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new assert.AssertionError({ message: `${what} did not come to an end within ${within} ms.` }));
    }, within);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
