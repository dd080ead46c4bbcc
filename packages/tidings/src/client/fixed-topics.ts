import { SUBSCRIBED } from '../protocol/control.ts';
import type { DecodedEvent } from '../protocol/decode.ts';
import type { Matcher } from '../protocol/matcher.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';
import { parameterOf } from './url.ts';

/** The request of a new connection. */
export interface Request {
  readonly matchers: readonly Matcher[];
  /** Whether to get the states as of the cursor, besides going on from it. */
  readonly asNew: boolean;
  readonly cursor: string | undefined;
}

/** An item of the stream, as far as it concerns topics. */
export type Handed = DecodedEvent | { readonly onlyId: string };

/** The credentials that allow changing a connection. */
export interface ConnectionCredentials {
  readonly connection: string;
  readonly secret: string;
}

/** The first frame of a connection, as far as it concerns topics. */
export interface FirstFrame {
  /** Absent if the connection can't be changed. */
  readonly credentials: ConnectionCredentials | undefined;
  /** Where the events of the requested topics begin. */
  readonly cursor: string;
  /** Whether a hub introduced itself. */
  readonly announced: boolean;
}

/** The client's topics, as the rest of the client sees them. */
export interface Topics {
  /** The request for a connection that goes on from `cursor`. `whole`: it can't be changed later. */
  request(cursor: string | undefined, whole: boolean): Request;
  /** The requested connection is open. */
  welcomed(first: FirstFrame): void;
  /** An item of the stream was handed out; `moved` if the cursor did. */
  handed(item: Handed, moved: boolean): void;
  /** The connection is over. */
  left(): void;
  /** The app has loaded its state anew: the next request asks for states as of the cursor. */
  begin(): void;
  /** Nothing will change any more. */
  finish(error: TidingsError): void;
}

/** The client's state when topics first change. */
export interface KnownTopics {
  readonly matchers: readonly Matcher[];
  /** Whether everything up to the client's cursor was received. */
  readonly settled: boolean;
  /** The current connection. */
  readonly session: FirstFrame | undefined;
}

/** Characters that topics may take in a URL: together with the rest, servers and proxies accept 8 KB. */
export const ROOM_FOR_TOPICS = 6_000;

/** Topics that never change, which is all that most clients need. */
export interface FixedTopics extends Topics {
  readonly known: KnownTopics;
}

export function createFixedTopics(matchers: readonly Matcher[]): FixedTopics {
  let settled = false;
  let session: FirstFrame | undefined;
  return {
    request: (cursor) => ({ matchers, asNew: !settled, cursor }),
    welcomed(first) {
      session = first;
      // A server that announces nothing has no state topics: everything comes after the cursor.
      settled ||= !first.announced;
    },
    handed(item, moved) {
      settled ||= session !== undefined && marksPlace(item, moved);
    },
    left: () => (session = undefined),
    begin: () => (settled = false),
    finish: () => (session = undefined),
    get known() {
      return { matchers, settled, session };
    },
  };
}

/** State values have no ids of their own, but the item after the last of them has one. */
export function marksPlace(item: Handed, moved: boolean): boolean {
  return moved || 'onlyId' in item || item.type === SUBSCRIBED;
}

export function fitsIntoUrl(matchers: readonly Matcher[]): boolean {
  return new URLSearchParams(matchers.map(parameterOf)).toString().length < ROOM_FOR_TOPICS;
}

export function isMatcher(value: unknown): value is Matcher {
  return (
    typeof value === 'string' ||
    typeof (value as { pattern?: unknown } | null | undefined)?.pattern === 'string'
  );
}
