import { setTimeout as sleep } from 'node:timers/promises';
import { makeData, makeJson, micros } from './event.ts';

export interface Pace {
  readonly count: number;
  /** Events a second. */
  readonly rate: number;
  /** Bytes of data. */
  readonly size: number;
  /** Events that are published side by side, in one callback. Default 1. */
  readonly batch?: number;
  /** Whether data is JSON, instead of padding that compresses to nothing. */
  readonly json?: boolean;
}

/**
 * An event is stamped when it is sent, but no more than this after it was due: a subject that can't keep up must not
 * hide that by publishing late. In µs; as much as a timer may be late.
 */
const LATENESS = 2000;

/**
 * Publishes at a steady rate, each batch in a callback of its own, as if each had come in by a request of its own.
 *
 * @param sendAll sends several at once. Default: each with `send`.
 */
export function createPublisher(
  send: (data: string, number: number) => unknown,
  sendAll?: (all: readonly string[]) => unknown,
) {
  let number = 0;

  function sendBatch(due: number, { batch = 1, size, json = false }: Pace): unknown {
    const make = json ? makeJson : makeData;
    const stamp = Math.min(micros(), Math.floor(due) + LATENESS);
    if (sendAll !== undefined && batch > 1) {
      const first = number + 1;
      number += batch;
      return sendAll(Array.from({ length: batch }, (_, i) => make(stamp, first + i, size)));
    }
    const sent: unknown[] = [];
    for (let i = 0; i < batch; i += 1) {
      number += 1;
      sent.push(send(make(stamp, number, size), number));
    }
    return Promise.all(sent);
  }

  return async (pace: Pace): Promise<{ published: number }> => {
    const { count, rate, batch = 1 } = pace;
    const interval = (batch * 1e6) / rate;
    const batches = Math.ceil(count / batch);
    const sent: Promise<unknown>[] = [];
    let due = micros();
    for (;;) {
      for (const now = micros(); due <= now && sent.length < batches; due += interval) {
        const at = due;
        sent.push(
          new Promise((resolve) => {
            setImmediate(() => resolve(sendBatch(at, pace)));
          }),
        );
      }
      if (sent.length >= batches) break;
      // Even if the next one is due already, written bytes get their turn.
      await sleep(Math.max(0, Math.round((due - micros()) / 1000)));
    }
    await Promise.all(sent);
    return { published: batches * batch };
  };
}
