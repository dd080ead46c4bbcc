import { encodeFrame } from '../protocol/encode.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';

/** Whether the app's error carries a 4xx status to answer with, as those of `http-errors` do. */
export function refuses(error: unknown): boolean {
  const { status, statusCode = status } = (error ?? {}) as { status?: unknown; statusCode?: unknown };
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500;
}

/** A stream that ends at once. It says when to come back and, for those who look, why. `retry` is in milliseconds. */
export function encodeRefusal({ code, message }: TidingsError, retry: number): string {
  return `: ${code}: ${message.replaceAll(/[\r\n]+/g, ' ')}\n${encodeFrame({ retry })}`;
}
