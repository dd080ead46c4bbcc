import {
  type Checks,
  aFunction,
  aNumber,
  aString,
  assertOptions,
  invalidOption,
  oneOf,
} from '../../protocol/options.ts';
import type { ItemEvent } from '../delivery/items.ts';

/** An event for a consumer. */
export interface ConsumedEvent extends ItemEvent {
  /** Absent for a state's newest value, which comes after a gap. */
  readonly cursor: string | undefined;
}

export interface ConsumeContext {
  /** 1 for the first try. */
  readonly attempt: number;
  /** Aborted when the consumer is stopped, or goes on at another node. */
  readonly signal: AbortSignal;
}

/** Takes one event. If it rejects, it gets the event again, later. */
export type ConsumeHandler = (event: ConsumedEvent, context: ConsumeContext) => unknown;

/** Durations in milliseconds. */
export interface ConsumeOptions {
  /** Where a consumer begins that the log doesn't know yet. Default `head`: with the next event. */
  readonly from?: 'head' | 'earliest';
  /** After so many failures an event is skipped, and `onError` gets `consumer/skipped`. Default: never. */
  readonly attempts?: number;
  /** The wait after a first failure. It doubles with each further one, up to a minute. Default 1,000. */
  readonly retry?: number;
  /** The cursor is stored this often: after a crash, the events since come again. Default 1,000. */
  readonly checkpoint?: number;
  /** How long after a crash another node takes over. Default 10,000. */
  readonly lease?: number;
}

export interface Consumer {
  /** Whether this hub has the lease: it, and no other one, calls its handler. */
  readonly active: boolean;
  /** Stops it here; another hub that has the consumer goes on. Resolves when the handler has ended and the cursor is stored. */
  stop(): Promise<void>;
}

export const CONSUME_OPTIONS: Checks<ConsumeOptions> = {
  from: oneOf('head', 'earliest'),
  attempts: aNumber({ min: 1 }),
  retry: aNumber({ min: 1, finite: true }),
  checkpoint: aNumber({ min: 0, finite: true }),
  lease: aNumber({ min: 300, finite: true }),
};

const MAX_NAME = 200;

/** @throws {TidingsError} `hub/invalid-option`. */
export function assertConsumer(name: string, handler: ConsumeHandler, options: ConsumeOptions): void {
  assertOptions(options, CONSUME_OPTIONS);
  assertOptions({ name, handler }, { name: aString, handler: aFunction });
  if (name.length > MAX_NAME)
    throw invalidOption('name', `A consumer's name has up to ${MAX_NAME} characters.`);
}
