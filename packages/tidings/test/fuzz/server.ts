/** The server under attack, a process of its own. Arguments: the name of the transport. */
import type { AddressInfo } from 'node:net';
import { type TidingsError, createHub, forbidden, memoryLog, tooManyRequests, unauthorized } from 'tidings';
import { gzip } from 'tidings/gzip';
import { TOPICS } from './values.ts';
import { answerReports, note } from './reporter.ts';
import { transports } from './transports.ts';

const PURPOSE = 'made on purpose';

const hub = createHub({
  log: memoryLog({
    epoch: 'e',
    retention: { events: 1000, bytes: 300_000 },
    topics: [
      { match: 'board', state: true, keys: 50 },
      { match: { pattern: 'posts/:id' }, retention: { events: 100 } },
    ],
  }),
  presence: [{ match: { pattern: 'room/:id' }, members: 5, grace: 10, interval: 10 }],
  compression: gzip(),
  // Short enough that all of them end some connections.
  heartbeat: 200,
  stallTimeout: 500,
  maxLifetime: 2000,
  expiryNotice: 30,
  limits: { connections: 60, connectionsPerSubject: 20, connectionsPerSession: 5 },
  onError(error) {
    // The failures of `authorize` that the hub answers itself.
    const { message, details } = error as TidingsError;
    if (message !== PURPOSE && details?.['option'] !== 'authorize().topics') note('onError')(error);
  },
});

const everything = [{ pattern: '*' }];
const decisions: Readonly<Record<string, () => object | Promise<object>>> = {
  ann: () => ({ subject: 'ann', topics: ['user/ann', 'news', 'board', { pattern: 'posts/*' }] }),
  bob: () => ({ subject: 'bob', topics: everything, member: { id: 'bob' } }),
  none: () => ({}),
  nothing: () => ({ subject: 'nobody', topics: [] }),
  all: () => ({ topics: everything }),
  refuse: () => raise(unauthorized()),
  forbid: () => raise(forbidden()),
  rate: () => raise(tooManyRequests('Slow down.', 1)),
  fail: () => raise(new Error(PURPOSE)),
  reject: () => Promise.reject(new Error(PURPOSE)),
  expired: () => ({ subject: 'ann', topics: everything, expiresAt: Date.now() - 1 }),
  soon: () => ({ subject: 'ann', topics: everything, expiresAt: Date.now() + 50 }),
  slow: async () => {
    await new Promise((resolve) => setTimeout(resolve, 2));
    return { subject: 'slow', topics: everything };
  },
  odd: () => ({ topics: 'everything' }),
};

function raise(error: TidingsError | Error): never {
  throw error;
}

let published = 0;

/** Something of everything: ordinary, private, large, values of a state, events on two topics. */
function publish(): void {
  published += 1;
  const n = published;
  const topics = TOPICS.filter((topic) => !topic.startsWith('presence/'));
  const on = topics[n % topics.length] ?? 'news';
  const data = n % 100 === 0 ? 'x'.repeat(60_000) : { n, text: 'line\r\nanother' };
  const several = n % 7 === 0 && on !== 'news' ? [on, 'news'] : on;
  const key = on === 'board' ? { key: `k${n % 80}`, tombstone: n % 11 === 0 } : {};
  hub
    .publish(several, data, { private: n % 5 === 0, type: n % 3 === 0 ? 'post' : 'message', ...key })
    .catch(note('publish'));
  if (n % 100 === 0) hub.disconnect(({ id }) => id < '4', { retry: 1 });
  for (const { id } of hub.connections().slice(0, n % 20 === 0 ? 3 : 0)) hub.send(id, { data: n });
}

const start = transports[process.argv[2] ?? ''];
if (start === undefined)
  throw new Error(`No transport ${process.argv[2]}: there are ${Object.keys(transports).join(', ')}.`);
const server = await start(hub, {
  cors: { origin: 'https://app.example', credentials: true },
  greeting: ({ id }) => ({ type: 'greeting', data: id }),
  authorize: (credentials) => decisions[credentials ?? 'none']?.() ?? {},
});
const publishing = setInterval(publish, 10);

answerReports({
  connections: () => hub.connections().length,
  /** Ends as a deploy does: nothing may hold the process up. */
  async stop() {
    clearInterval(publishing);
    await hub.close({ within: 1000 });
    server.close();
  },
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
