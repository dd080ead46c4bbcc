/** `tidings serve` under attack, in a process of its own. */
import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import { answerReports, note } from './reporter.ts';
import { API_KEY, HUB, SECRET } from './served-requests.ts';
import { TOPICS } from './values.ts';

const ADMIN_TOKEN = 'an-admin-token-of-the-fuzz';

/** The server's own modules, which depend on this package: found by where they are built. */
async function load<T>(path: string): Promise<T> {
  return (await import(new URL(`../../../../server/dist/${path}`, import.meta.url).href)) as T;
}

interface Running {
  readonly publicUrl: string;
  readonly internalUrl: string;
  close(): Promise<void>;
}

const { readSettings } = await load<{
  readSettings(table: unknown, sources: object): { settings: unknown; problems: readonly Error[] };
}>('config/read-settings.js');
const { SETTINGS } = await load<{ SETTINGS: unknown }>('server/table.js');
const { startServer } = await load<{ startServer(settings: unknown, deps: object): Promise<Running> }>(
  'server/start-server.js',
);

const { settings, problems } = readSettings(SETTINGS, {
  file: {
    path: '/tidings.json',
    values: {
      'listen.port': 0,
      'listen.h2c': true,
      'internal.port': 0,
      'internal.token': ADMIN_TOKEN,
      'log.url': 'memory:',
      'log.retention.events': 1000,
      'log.retention.bytes': '300KiB',
      'auth.jwt.secret': SECRET,
      'auth.cookie': 'tidings',
      'auth.query-token': true,
      'auth.anonymous.subscribe': ['news', 'posts/*', 'board'],
      'auth.api-keys': [
        {
          name: 'fuzz',
          hash: `sha256:${createHash('sha256').update(API_KEY).digest('base64url')}`,
          publish: ['*'],
        },
      ],
      'mercure.url': `http://127.0.0.1${HUB}`,
      'mercure.subscriptions': true,
      'cors.origins': ['https://app.example'],
      topics: [{ topic: 'board', state: true, keys: 50 }],
      presence: [{ pattern: 'room/:id', members: 5, grace: '10ms', interval: '10ms' }],
      'stream.heartbeat': '1s',
      'stream.stall-timeout': '1s',
      'stream.max-lifetime': '2s',
      'stream.compression': true,
      'limits.connections': 60,
      'limits.connections-per-session': 5,
      'shutdown.within': '1s',
      'publish.rate': 20_000,
    },
  },
  environment: {},
  flags: {},
  readSecret: () => '',
});
for (const problem of problems) throw problem;

/** Collects the faults that the server finds in itself; it logs refusals of requests at lower levels. */
const logger = {
  level: 'error',
  fatal: report,
  error: report,
  warn: () => {},
  info: () => {},
  debug: () => {},
  trace: () => {},
  silent: () => {},
};

function report(fields: { readonly err?: unknown }, message: string): void {
  note(`the log: ${message}`)(fields.err ?? JSON.stringify(fields));
}

const server = await startServer(settings, { logger });
const agent = new Agent({ keepAlive: true });

function call(url: string, token: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const sent = request(url, { agent, headers, method: body === undefined ? 'GET' : 'POST' }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('end', () => resolve(text));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

let published = 0;

function publish(): void {
  published += 1;
  const n = published;
  const topics = TOPICS.filter((name) => !name.startsWith('presence/'));
  const on = topics[n % topics.length] ?? 'news';
  const event = { topics: on, data: n % 100 === 0 ? 'x'.repeat(60_000) : { n }, private: n % 5 === 0 };
  const keyed = on === 'board' ? { ...event, key: `k${n % 80}` } : event;
  call(`${server.publicUrl}/v1/publish`, API_KEY, JSON.stringify(keyed)).catch(note('publish'));
}

const publishing = setInterval(publish, 20);

async function count(): Promise<number> {
  const text = await call(`${server.internalUrl}/admin/v1/stats`, ADMIN_TOKEN);
  return (JSON.parse(text) as { stats: { connections: number } }).stats.connections;
}

/** The server reads some topics itself. */
const own = await count();

answerReports({
  connections: async () => (await count()) - own,
  async stop() {
    clearInterval(publishing);
    agent.destroy();
    await server.close();
  },
});
process.send?.(Number(new URL(server.publicUrl).port));
