import type { Expiring, Gap, GapNotice, Goodbye, Subscribed, Welcome } from '../protocol/control.ts';
import type { Matcher } from '../protocol/matcher.ts';
import type { ResponseHeaders } from './web.ts';

/** The response, apart from its stream. */
export interface OpeningResponse {
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** After redirects, if the `fetch` in use reports it. */
  readonly url: string;
}

/** A connection as its first frame described it. A server of plain SSE describes nothing. */
export interface Opening {
  readonly response: OpeningResponse;
  /** Names the connection in the server's `hub.connections()` and logs. */
  readonly connection?: string;
  /** Whether the client came with a cursor and nothing after it is missing. */
  readonly resumed: boolean;
  readonly gaps: readonly Gap[];
  /** Milliseconds within which the server sends something. */
  readonly heartbeat?: number;
}

/** The content of a welcome. */
export type Introduction = Omit<Opening, 'response'>;

/** For a server that does not announce itself. */
export const UNANNOUNCED: Introduction = { resumed: false, gaps: [] };

export function readWelcome(data: string): Introduction {
  const { connection, resumed, gaps, heartbeat } = parse<Welcome>(data);
  return {
    ...(typeof connection === 'string' && { connection }),
    resumed: resumed === true,
    gaps: listOf(gaps),
    ...(delayOf(heartbeat) && { heartbeat: heartbeat as number }),
  };
}

/** The credentials that allow changing a connection. */
export interface ConnectionCredentials {
  readonly connection: string;
  readonly secret: string;
}

/** @returns undefined if this connection can't be changed. */
export function readCredentials(data: string): ConnectionCredentials | undefined {
  const { connection, secret } = parse<Welcome>(data);
  return typeof connection === 'string' && typeof secret === 'string' ? { connection, secret } : undefined;
}

export function readTopics(data: string): readonly Matcher[] {
  const { topics } = parse<Subscribed>(data);
  return listOf(topics);
}

/** @returns milliseconds. */
export function readExpiring(data: string): number {
  return delayOf(parse<Expiring>(data).within) ?? 0;
}

export function readGaps(data: string): readonly Gap[] {
  return listOf(parse<GapNotice>(data).gaps);
}

/**
 * The content of a goodbye: milliseconds to wait, unless the server left it open; and whether an answer is complete.
 */
export function readGoodbye(data: string): {
  readonly retry: number | undefined;
  readonly isAnswer: boolean;
} {
  const { reason, retry } = parse<Goodbye>(data);
  return { retry: delayOf(retry), isAnswer: reason === 'wait' };
}

/** A malformed notice counts as empty: the stream around it is still worth reading. */
function parse<T>(data: string): { readonly [K in keyof T]?: unknown } {
  try {
    return (JSON.parse(data) as object | null) ?? {};
  } catch {
    return {};
  }
}

function listOf<T>(value: unknown): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [];
}

function delayOf(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 && value < Infinity ? value : undefined;
}
