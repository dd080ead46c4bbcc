/** A server in the test's own process, with its log lines at hand. */
import { pino } from 'pino';
import { SignJWT } from 'jose';
import type { Settings } from '../src/config/setting.ts';
import { readSettings } from '../src/config/read-settings.ts';
import { SETTINGS } from '../src/server/table.ts';
import { type RunningServer, startServer } from '../src/server/start-server.ts';

/** The keys of the servers that tests start. */
const SECRET = 'a-secret-of-the-tests-that-is-long-enough';
export const ADMIN_TOKEN = 'an-admin-token-of-the-tests';

export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

// oxlint-disable-next-line typescript/no-explicit-any -- Tests say what they expect in it.
type Answer = any;

export interface InProcess extends RunningServer {
  readonly internalUrl: string;
  readonly lines: readonly LogLine[];
  /** Asks the admin API, with the token. */
  admin(path: string, body?: unknown): Promise<{ readonly status: number; readonly body: Answer }>;
  publish(event: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

export function settingsOf(given: Readonly<Record<string, unknown>> = {}): Settings {
  const values = {
    'listen.port': 0,
    'internal.port': 0,
    'log.url': 'memory:',
    'auth.jwt.secret': SECRET,
    'auth.anonymous.subscribe': ['*'],
    'internal.token': ADMIN_TOKEN,
    ...given,
  };
  const { settings, problems } = readSettings(SETTINGS, {
    file: { path: '/tidings.yaml', values },
    environment: {},
    flags: {},
    readSecret: () => '',
  });
  const [problem] = problems;
  if (problem !== undefined) throw problem;
  return settings;
}

export async function startInProcess(given: Readonly<Record<string, unknown>> = {}): Promise<InProcess> {
  const lines: LogLine[] = [];
  const logger = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line) as LogLine) });
  const server = await startServer(settingsOf(given), { logger });
  const { publicUrl, internalUrl = '' } = server;
  const token = await publisherToken();
  return {
    ...server,
    internalUrl,
    lines,
    async admin(path, body) {
      const response = await fetch(`${internalUrl}/admin/v1${path}`, {
        headers: {
          authorization: `Bearer ${ADMIN_TOKEN}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
      });
      return { status: response.status, body: await response.json() };
    },
    publish: (event, headers = {}) =>
      fetch(`${publicUrl}/v1/publish`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
        body: JSON.stringify(event),
      }),
  };
}

export function publisherToken(): Promise<string> {
  return new SignJWT({ tidings: { publish: [{ pattern: '*' }], subscribe: [{ pattern: '*' }] } })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('backend')
    .setIssuedAt()
    .setExpirationTime('10m')
    .sign(new TextEncoder().encode(SECRET));
}
