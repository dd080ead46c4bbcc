/** Topics that only the server publishes on. */
export const SERVER_PREFIX = 'tidings/';

/** Private events about connections, which the server publishes for its webhooks. */
export const CONNECTIONS_TOPIC = 'tidings/connections';
