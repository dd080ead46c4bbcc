/** Parts from inside the library for tests of whole hubs. */
import type { Connection } from '../src/hub/delivery/connection.ts';
import type { OwnConnection } from '../src/hub/gateway.ts';

export type { Sink } from '../src/hub/delivery/sink.ts';
export type { ConnectRequest, ConnectionTerms } from '../src/hub/connect-request.ts';
export { type OwnConnection, gatewayOf } from '../src/hub/gateway.ts';
export { type MatcherSet, createMatcherSet } from '../src/protocol/matcher-set.ts';
export type { Hub } from '../src/hub/hub.ts';
export { createHub } from '../src/index.ts';
export type { EventLog } from '../src/log/event-log.ts';
export type { Matcher } from '../src/protocol/matcher.ts';
export type { Gap } from '../src/protocol/control.ts';

/** The data of a client's welcome. */
export function secretOf(connection: OwnConnection): string {
  return (connection as Connection).secret;
}
