import { SUBSCRIBED } from '../protocol/control.ts';
import type { DecodedEvent } from '../protocol/decode.ts';
import type { Matcher } from '../protocol/matcher.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';
import type { ConnectionCredentials } from './read-control.ts';
import { parameterOf } from './url.ts';

/** What to ask of a new connection. */
export interface Request {
  readonly matchers: readonly Matcher[];
  /** Not to go on from the cursor only, but to get states as they were at it. */
  readonly asNew: boolean;
  readonly cursor: string | undefined;
}

/** What the stream brings, as far as topics are concerned. */
export type Handed = DecodedEvent | { readonly onlyId: string };

/** What the first frame of a connection says of topics. */
export interface FirstFrame {
  /** Absent if the connection can't be changed. */
  readonly credentials: ConnectionCredentials | undefined;
  /** Where topics begin that the connection was asked for. */
  readonly cursor: string;
  /** A hub speaks. */
  readonly announced: boolean;
}

/** What the client is for, as the rest of it needs to know. */
export interface Topics {
  /** What to ask of a connection that is to go on from `cursor`. `whole`: it can't be changed later. */
  request(cursor: string | undefined, whole: boolean): Request;
  /** The connection that was asked for is there. */
  welcomed(first: FirstFrame): void;
  /** An item of the stream was handed out; `moved` if the cursor did. */
  handed(item: Handed, moved: boolean): void;
  /** The connection is over. */
  left(): void;
  /** The app has loaded its state anew: states are asked for as they are at the cursor. */
  begin(): void;
  /** Nothing will change any more. */
  finish(error: TidingsError): void;
}

/** What is known when topics begin to change. */
export interface KnownTopics {
  readonly matchers: readonly Matcher[];
  /** All of it up to the client's cursor was received. */
  readonly settled: boolean;
  /** The connection there is. */
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

/** The values of states have no ids of their own, but what comes after all of them has. */
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
