import { encodeFrame } from '../protocol/encode.ts';
import { createError } from '../protocol/errors.ts';
import { type EventOptions, checkType, encodeData } from '../protocol/event.ts';
import { type Checks, aBoolean, aString, assertOptions } from '../protocol/options.ts';

/** An event for one connection alone, outside of the log. */
export interface DirectEvent extends Pick<EventOptions, 'type' | 'raw'> {
  readonly data: unknown;
}

export const DIRECT_EVENT: Checks<DirectEvent> = {
  data: { expected: 'a value', accepts: () => true },
  type: aString,
  raw: aBoolean,
};

/**
 * Without `id:`, which keeps the client's cursor.
 *
 * @throws {TidingsError} `event/invalid-option`, `event/invalid-type`, `event/invalid-data`.
 */
export function encodeDirect(event: DirectEvent): string {
  assertOptions(event, DIRECT_EVENT, '', (option, message) =>
    createError('event/invalid-option', message, { details: { option } }),
  );
  const { type, data, raw = false } = event;
  return encodeFrame({ type: type === undefined ? undefined : checkType(type), data: encodeData(data, raw) });
}
