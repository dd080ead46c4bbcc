import { encodeFrame } from '../protocol/encode.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';

/** Whether an error of the app's says by a status of 4xx how to answer, as those of `http-errors` do. */
export function refuses(error: unknown): boolean {
  const { status, statusCode = status } = (error ?? {}) as { status?: unknown; statusCode?: unknown };
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500;
}

/** A stream that ends at once: it says when to come back, and why to those who look. `retry` in milliseconds. */
export function encodeRefusal({ code, message }: TidingsError, retry: number): string {
  return `: ${code}: ${message.replaceAll(/[\r\n]+/g, ' ')}\n${encodeFrame({ retry })}`;
}
