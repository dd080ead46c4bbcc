/** What the tests of whole hubs need from inside the library. */
export type { ConnectRequest, Connection, Sink } from '../src/hub/delivery/connection.ts';
export { type MatcherSet, createMatcherSet } from '../src/protocol/matcher-set.ts';
export { Hub } from '../src/hub/hub.ts';
export type { EventLog } from '../src/log/event-log.ts';
export type { Matcher } from '../src/protocol/matcher.ts';
export type { Gap } from '../src/protocol/control.ts';
