import { type Checks, aNumber, assertOptions } from '../protocol/options.ts';

/** Bounds of the events that are kept; the oldest go first. */
export interface Retention {
  readonly events?: number;
  /** About as many bytes of topics and data. */
  readonly bytes?: number;
  /** Milliseconds. */
  readonly age?: number;
}

const bound = aNumber({ min: 0 });
export const RETENTION: Checks<Retention> = { events: bound, bytes: bound, age: bound };

/** @throws {TidingsError} `hub/invalid-option`. */
export function assertRetention(retention: Retention, name = 'retention'): void {
  assertOptions(retention, RETENTION, `${name}.`);
}
