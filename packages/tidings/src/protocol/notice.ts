import type { Gap } from './control.ts';
import type { Matcher } from './matcher.ts';

/** The fields of a frame of the protocol, of whichever type: each has some of them. */
export interface Notice {
  readonly connection: string | undefined;
  /** Allows changing the connection. Not for the app. */
  readonly secret: string | undefined;
  /** Equal for streams that one reader may use in place of another. */
  readonly audience: string | undefined;
  readonly resumed: boolean;
  readonly gaps: readonly Gap[];
  readonly topics: readonly Matcher[];
  /** Milliseconds, as the next two. */
  readonly heartbeat: number | undefined;
  readonly within: number | undefined;
  readonly retry: number | undefined;
  /** Of a goodbye. */
  readonly reason: unknown;
}

/** A malformed notice counts as empty: the stream around it is still worth reading. */
export function readNotice(data: string): Notice {
  let notice: { readonly [Name in keyof Notice]?: unknown } = {};
  try {
    notice = (JSON.parse(data) as object | null) ?? notice;
  } catch {
    // Not a hub's.
  }
  const { connection, secret, audience, resumed, gaps, topics, heartbeat, within, retry, reason } = notice;
  return {
    connection: textOf(connection),
    secret: textOf(secret),
    audience: textOf(audience),
    resumed: resumed === true,
    gaps: listOf(gaps),
    topics: listOf(topics),
    heartbeat: delayOf(heartbeat) || undefined,
    within: delayOf(within),
    retry: delayOf(retry),
    reason,
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function listOf<T>(value: unknown): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [];
}

function delayOf(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 && value < Infinity ? value : undefined;
}
