import type { Logger } from 'pino';
import type { ConnectionEnd, ConnectionInfo, Hub } from 'tidings';
import type { Observer } from '../../server/part.ts';
import { CONNECTIONS_TOPIC } from '../../server/reserved-topics.ts';
import { type ConnectionRecord, toRecord } from './message.ts';

/** Records on their way to the log, while it is slow or away. Beyond these, they are lost and counted. */
const MAX_ON_THE_WAY = 10_000;

/** Puts connections that begin and end on the log, for webhooks to read: one that is down then misses none. */
export function createConnectionRecords(
  hub: Hub,
  logger: Logger,
  lost: () => void,
): Observer & { isWanted: boolean } {
  let onTheWay = 0;

  function record(type: 'connect' | 'disconnect', data: ConnectionRecord): void {
    if (onTheWay >= MAX_ON_THE_WAY) return lost();
    onTheWay += 1;
    hub
      .publish(CONNECTIONS_TOPIC, data, { type, private: true })
      .catch((error: unknown) => {
        lost();
        logger.warn({ err: error, type }, 'a record for webhooks is lost');
      })
      .finally(() => {
        onTheWay -= 1;
      });
  }

  const records = {
    isWanted: false,
    connected(connection: ConnectionInfo) {
      if (!records.isWanted) return undefined;
      record('connect', toRecord(connection));
      return (end: ConnectionEnd) => record('disconnect', toRecord(connection, end));
    },
  };
  return records;
}
