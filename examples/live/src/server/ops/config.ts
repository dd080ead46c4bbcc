import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** `examples/live`, from `dist/server` as well as from `src/server`. */
const root = fileURLToPath(new URL('../../..', import.meta.url));

const seconds = (fallback: number): z.ZodType<number> =>
  z.coerce
    .number()
    .positive()
    .default(fallback)
    .transform((value) => value * 1000);

const count = (fallback: number): z.ZodType<number> => z.coerce.number().int().positive().default(fallback);

/** The URL of a server that speaks one of these protocols. Messages don't repeat it: it may hold a password. */
const serverUrl = (...protocols: string[]): z.ZodType<string> =>
  z
    .string()
    .refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol.slice(0, -1)), {
      error: `Expected a URL that begins with ${protocols.map((name) => `${name}://`).join(' or ')}.`,
    });

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

const environment = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535).default(3000),
  HOST: z.string().optional(),
  DATABASE_URL: serverUrl('postgres', 'postgresql').optional(),
  DATABASE_FILE: z.string().default(join(root, 'data/live.sqlite')),
  EVENT_LOG: z.enum(['lmdb', 'memory', 'redis', 'postgres']).default('lmdb'),
  EVENT_LOG_PATH: z.string().optional(),
  EVENT_LOG_URL: serverUrl('redis', 'rediss', 'postgres', 'postgresql').optional(),
  NODE_NAME: z.string().max(100).default(hostname()),
  PAGES_FOLDER: z.string().default(join(root, 'dist/pages')),
  SESSION_SECRET: z.string().min(32).optional(),
  SESSION_DAYS: z.coerce.number().positive().max(365).default(14),
  TRUST_PROXY: z
    .string()
    .default('')
    .transform((value) => (/^\d+$/.test(value) ? Number(value) : value === '' ? false : value)),
  SAY_URL: z.enum(['0', '1']).default('0'),
  LOG_LEVEL: z.enum(logLevels).default('info'),
  SIGN_IN_PER_MINUTE: count(20),
  SIGN_IN_FAILURES: count(20),
  POSTS_PER_MINUTE: count(20),
  CHANGES_PER_MINUTE: count(120),
  CONNECTS_PER_MINUTE: count(300),
  CONNECTIONS: count(20_000),
  CONNECTIONS_PER_USER: count(20),
  CONNECTIONS_PER_ADDRESS: count(200),
  HEARTBEAT_SECONDS: seconds(15),
  STALL_SECONDS: seconds(30),
  MAX_LIFETIME_SECONDS: seconds(3600),
  VIEWER_GRACE_SECONDS: seconds(5),
  REQUEST_SECONDS: seconds(30),
  SHUTDOWN_SECONDS: seconds(10),
});

/** The operator's settings. README.md explains each variable. Durations are milliseconds here. */
export interface Config {
  readonly port: number;
  /** undefined: every interface. */
  readonly host: string | undefined;
  /** Where the app's data are: in a PostgreSQL, or in a file. */
  readonly database: { readonly url: string } | { readonly file: string };
  /** Where events are kept. Processes with one `redis` or `postgres` are nodes of one app. */
  readonly eventLog:
    | { readonly engine: 'lmdb'; readonly path: string }
    | { readonly engine: 'memory' }
    | { readonly engine: 'redis' | 'postgres'; readonly url: string };
  /** Tells this process from others of the same app. */
  readonly node: string;
  readonly pagesFolder: string;
  readonly sessionSecret: string;
  readonly sessionLifetime: number;
  /** Express's format: number of proxies, their addresses, or false for none. */
  readonly trustProxy: number | string | false;
  /** Prints the address as a line of its own, for people who don't read JSON. */
  readonly sayUrl: boolean;
  readonly logLevel: (typeof logLevels)[number];
  readonly ratesPerMinute: { signIn: number; posting: number; changing: number; connecting: number };
  /** Failed attempts to sign in to one account within a quarter of an hour. */
  readonly signInFailures: number;
  readonly connectionLimits: {
    connections: number;
    connectionsPerSubject: number;
    connectionsPerAddress: number;
  };
  readonly heartbeat: number;
  readonly stallTimeout: number;
  readonly maxLifetime: number;
  readonly viewerGrace: number;
  /** How long a request's headers and body may take. */
  readonly requestTimeout: number;
  readonly shutdownTimeout: number;
}

/** Thrown for settings that are invalid, or not available here. The message is meant for the operator. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** @throws ConfigError */
export async function loadConfig(variables: NodeJS.ProcessEnv): Promise<Config> {
  // An empty variable counts as unset, as in `PORT= npm start`.
  const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''));
  const result = environment.safeParse(given);
  if (!result.success) {
    const lines = result.error.issues.map(({ path, message }) => `  ${path.join('.')}: ${message}`);
    throw new ConfigError(`Some environment variables make no sense:\n${lines.join('\n')}`);
  }
  const env = result.data;
  return {
    port: env.PORT,
    host: env.HOST,
    database: env.DATABASE_URL === undefined ? { file: env.DATABASE_FILE } : { url: env.DATABASE_URL },
    eventLog: eventLogOf(env),
    node: env.NODE_NAME,
    pagesFolder: env.PAGES_FOLDER,
    sessionSecret: env.SESSION_SECRET ?? (await keptSecret(dirname(env.DATABASE_FILE))),
    sessionLifetime: env.SESSION_DAYS * 86_400_000,
    trustProxy: env.TRUST_PROXY,
    sayUrl: env.SAY_URL === '1',
    logLevel: env.LOG_LEVEL,
    ratesPerMinute: {
      signIn: env.SIGN_IN_PER_MINUTE,
      posting: env.POSTS_PER_MINUTE,
      changing: env.CHANGES_PER_MINUTE,
      connecting: env.CONNECTS_PER_MINUTE,
    },
    signInFailures: env.SIGN_IN_FAILURES,
    connectionLimits: {
      connections: env.CONNECTIONS,
      connectionsPerSubject: env.CONNECTIONS_PER_USER,
      connectionsPerAddress: env.CONNECTIONS_PER_ADDRESS,
    },
    heartbeat: env.HEARTBEAT_SECONDS,
    stallTimeout: env.STALL_SECONDS,
    maxLifetime: env.MAX_LIFETIME_SECONDS,
    viewerGrace: env.VIEWER_GRACE_SECONDS,
    requestTimeout: env.REQUEST_SECONDS,
    shutdownTimeout: env.SHUTDOWN_SECONDS,
  };
}

/** @throws ConfigError */
function eventLogOf(env: z.infer<typeof environment>): Config['eventLog'] {
  const { EVENT_LOG: engine, EVENT_LOG_URL: url } = env;
  if (engine === 'memory') return { engine };
  if (engine === 'lmdb')
    return { engine, path: env.EVENT_LOG_PATH ?? join(dirname(env.DATABASE_FILE), 'events') };
  const found = engine === 'postgres' ? (url ?? env.DATABASE_URL) : url;
  if (found?.startsWith(engine) === true) return { engine, url: found };
  throw new ConfigError(`EVENT_LOG=${engine} needs an EVENT_LOG_URL that begins with ${engine}://.`);
}

/** Whether other processes may have the same log. */
export function isShared({ eventLog }: Pick<Config, 'eventLog'>): boolean {
  return eventLog.engine === 'redis' || eventLog.engine === 'postgres';
}

/** The secret made at the first start. It is stored next to the database, to let sessions outlive a restart. */
async function keptSecret(folder: string): Promise<string> {
  const file = join(folder, 'session-secret');
  await mkdir(folder, { recursive: true });
  try {
    await writeFile(file, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const secret = await readFile(file, 'utf8');
  if (secret.length < 32) throw new ConfigError(`${file} holds no secret: delete it, or set SESSION_SECRET.`);
  return secret;
}
