import type { EventInput } from 'tidings';

/** Topics that only the server publishes on. */
const SERVER_PREFIX = 'tidings/';

/** Private events about connections, which the server publishes for its webhooks. */
export const CONNECTIONS_TOPIC = 'tidings/connections';

/** Whether an event is on a topic of the server's own: what webhooks tell can't be made up by a publisher. */
export function isServers({ topics }: EventInput): boolean {
  return [topics]
    .flat()
    .some((topic: unknown) => typeof topic === 'string' && topic.startsWith(SERVER_PREFIX));
}
