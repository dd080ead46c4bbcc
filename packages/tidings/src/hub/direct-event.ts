import { encodeFrame } from '../protocol/encode.ts';
import { createError } from '../protocol/errors.ts';
import { type EventOptions, checkType, encodeData } from '../protocol/event.ts';
import { type Checks, type OptionError, aBoolean, aString, assertOptions } from '../protocol/options.ts';

/** An event for one connection alone, outside of the log: what `hub.send` takes and `greeting` returns. */
export interface DirectEvent extends Pick<EventOptions, 'type' | 'raw'> {
  readonly data: unknown;
}

export const DIRECT_EVENT: Checks<DirectEvent> = {
  data: { expected: 'a value', accepts: () => true },
  type: aString,
  raw: aBoolean,
};

const invalidEventOption: OptionError = (option, message) =>
  createError('event/invalid-option', message, { details: { option } });

/** @throws {TidingsError} `event/invalid-option`, unless `error` makes another. */
export function assertDirectEvent(
  event: DirectEvent,
  prefix = '',
  error: OptionError = invalidEventOption,
): void {
  assertOptions(event, DIRECT_EVENT, prefix, error);
}

/**
 * The event's frame. It has no `id:`, so the client's cursor stays where it is.
 *
 * @throws {TidingsError} `event/invalid-type`, `event/invalid-data`.
 */
export function encodeDirectEvent({ type, data, raw = false }: DirectEvent): string {
  return encodeFrame({ type: type === undefined ? undefined : checkType(type), data: encodeData(data, raw) });
}
