import { onTestFinished } from 'vitest';
import {
  type ClientOptions,
  connect,
  type EventClient,
  type Opening,
  type TidingsError,
} from '../../src/client/index.ts';
import { createManualClock, type ManualClock } from '../../src/testing/manual-clock.ts';
import { until } from '../http/deadline.ts';

/** A client, and everything its listeners got. */
export interface Observed {
  readonly client: EventClient;
  readonly clock: ManualClock;
  readonly statuses: readonly string[];
  readonly openings: readonly Opening[];
  readonly gaps: readonly unknown[];
  /** Codes, with the announced milliseconds if the client goes on. */
  readonly errors: readonly string[];
  readonly lastError: TidingsError | undefined;
  /** Data of the unnamed events. */
  readonly messages: readonly string[];
  hasStatus(status: string): Promise<void>;
  hasMessages(count: number): Promise<void>;
  /** Lets the time pass that the client waits before it tries again. @returns how long that was. */
  comesBack(): Promise<number>;
}

/** Connects with a clock that stands still and randomness that is always one half. */
export function observe(url: string, options: ClientOptions = {}): Observed {
  const clock = createManualClock();
  const client = connect(url, { timers: clock, random: () => 0.5, ...options });
  onTestFinished(() => client.close());
  const statuses: string[] = [client.status];
  const openings: Opening[] = [];
  const gaps: unknown[] = [];
  const errors: string[] = [];
  const messages: string[] = [];
  let lastError: TidingsError | undefined;
  client.onStatus((status) => statuses.push(status));
  client.onOpen((opening) => openings.push(opening));
  client.onGap((list) => gaps.push(...list));
  client.onError((error, { retryIn }) => {
    lastError = error;
    errors.push(retryIn === undefined ? error.code : `${error.code}, again in ${retryIn}`);
  });
  client.on('message', ({ data }) => messages.push(data));
  return {
    client,
    clock,
    statuses,
    openings,
    gaps,
    errors,
    messages,
    get lastError() {
      return lastError;
    },
    hasStatus: (status) => until(`status ${status}`, () => client.status === status),
    hasMessages: (count) => until(`${count} messages`, () => messages.length >= count),
    async comesBack() {
      await until('status waiting', () => client.status === 'waiting');
      let waited = 0;
      // In steps: the limits of the next connection begin when this wait ends.
      for (; client.status === 'waiting'; waited += 50) clock.advance(50);
      return waited;
    },
  };
}
