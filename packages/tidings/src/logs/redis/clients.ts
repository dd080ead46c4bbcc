import { createLogError, invalidOption } from '../../log/index.ts';
import { inTime, unavailable } from './replies.ts';

/** Any client, the same way. */
export interface AnyClient {
  /** Whether it may have several connections to one server. A duplicate has one. */
  readonly isPool: boolean;
  /** Whether the client needs a key to know where a command goes. */
  readonly isCluster: boolean;
  send(command: readonly string[]): Promise<unknown>;
  /** Another one like it. @throws {TidingsError} `log/unavailable` if it has no connection in time. */
  duplicate(): Promise<AnyClient>;
  /** Ends it, if it was not the app's own. */
  close(): Promise<void>;
}

/** The interface of an ioredis client or cluster. */
interface Ioredis {
  readonly isCluster?: boolean;
  call(command: string, ...args: string[]): Promise<unknown>;
  duplicate(): Ioredis;
  disconnect(): void;
  on(event: 'error', listener: (error: unknown) => void): unknown;
}

/** One that is no cluster. */
interface SingleIoredis extends Ioredis {
  duplicate(options?: { readonly maxRetriesPerRequest: number }): Ioredis;
}

/** The interface of a client of `redis` or `@redis/client`. */
interface NodeRedis {
  sendCommand(command: readonly string[], options?: { readonly timeout: number }): Promise<unknown>;
  duplicate(): NodeRedis;
  connect(): Promise<unknown>;
  /** Not before version 5. */
  destroy?(): unknown;
  disconnect?(): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
}

/** The cluster of `redis` or `@redis/client`, which needs each command's key. */
interface NodeRedisCluster {
  sendCommand(key: string, isReadonly: boolean, command: string[]): Promise<unknown>;
  readonly slots: unknown;
  duplicate(): NodeRedisCluster;
  connect(): Promise<unknown>;
  destroy?(): unknown;
  disconnect?(): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
}

/** A client of Sentinel of `redis` or `@redis/client`, which sends what only reads to replicas. */
interface NodeRedisSentinel {
  sendCommand(isReadonly: boolean, command: string[]): Promise<unknown>;
  getSentinelNode(): unknown;
  duplicate(options?: typeof ONE_CONNECTION & { readonly maxCommandRediscovers?: number }): NodeRedisSentinel;
  connect(): Promise<unknown>;
  destroy?(): unknown;
  disconnect?(): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
}

/**
 * With a pool of connections, commands would lose their order, and WAIT the writes that it waits for. And version 6.3 loses
 * a connection of its pool for each command that is sent while another one gets one.
 */
const ONE_CONNECTION = { masterPoolSize: 1, reserveClient: true } as const;
/** Sent again on a new connection, WAIT would wait for nothing: that connection has written nothing (Redis ≥ 7.2). */
const SENT_ONCE = { ...ONE_CONNECTION, maxCommandRediscovers: 0 } as const;

/**
 * Version 6 times each command, which costs as much as half of all the rest that a client does for it. Each is timed here, and a
 * client of the log's own is ended if there is no answer.
 */
const UNTIMED = { timeout: 0 } as const;

type AnyNodeRedis = NodeRedis | NodeRedisCluster | NodeRedisSentinel;

/** A client of the app's own: of ioredis, `redis` or `@redis/client`; a single one, of Sentinel, or of a cluster. */
export type RedisClient = Ioredis | AnyNodeRedis;

export interface ClientOptions {
  /** Any key of the log: its hash slot is that of all of them. */
  readonly key: string;
  /** Milliseconds to wait for an answer. */
  readonly timeout: number;
  /** Whether a duplicate may send an unanswered command again on another connection. */
  readonly mayResend: boolean;
}

export function isRedisClient(value: unknown): value is RedisClient {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  const client = value as Partial<Ioredis & NodeRedis>;
  return (
    typeof client.duplicate === 'function' &&
    (typeof client.call === 'function' || typeof client.sendCommand === 'function')
  );
}

/** @throws {TidingsError} `hub/invalid-option`. */
export function clientOf(client: RedisClient, options: ClientOptions, owned = false): AnyClient {
  if (!isRedisClient(client)) {
    throw invalidOption('client', 'Expected `client` to be a client of ioredis, redis or @redis/client.');
  }
  return 'call' in client && typeof client.call === 'function'
    ? ofIoredis(client, options, owned)
    : ofNodeRedis(client as AnyNodeRedis, options, owned);
}

function ofIoredis(client: Ioredis, options: ClientOptions, owned: boolean): AnyClient {
  return {
    isPool: false,
    isCluster: client.isCluster === true,
    send: ([command = '', ...args]) => client.call(command, ...args),
    duplicate: () => {
      const single: SingleIoredis = client;
      const resends = options.mayResend || client.isCluster === true;
      const other = resends ? client.duplicate() : single.duplicate({ maxRetriesPerRequest: 0 });
      other.on('error', ignore);
      return Promise.resolve(ofIoredis(other, options, true));
    },
    close: () => {
      if (owned) client.disconnect();
      return Promise.resolve();
    },
  };
}

function ofNodeRedis(client: AnyNodeRedis, options: ClientOptions, owned: boolean): AnyClient {
  const send = (command: readonly string[]): Promise<unknown> => {
    if ('slots' in client) return client.sendCommand(options.key, false, [...command]);
    return 'getSentinelNode' in client
      ? client.sendCommand(false, [...command])
      : owned
        ? client.sendCommand(command, UNTIMED)
        : client.sendCommand(command);
  };
  return {
    isPool: 'getSentinelNode' in client && !owned,
    isCluster: 'slots' in client,
    send,
    duplicate: async () => {
      const other =
        'getSentinelNode' in client
          ? client.duplicate(options.mayResend ? ONE_CONNECTION : SENT_ONCE)
          : client.duplicate();
      other.on('error', ignore);
      return connected(other, options);
    },
    close: async () => {
      if (owned) await end(client);
    },
  };
}

/** @throws {TidingsError} `log/unavailable` if it has no connection in time; it then stops trying. */
async function connected(client: AnyNodeRedis, options: ClientOptions): Promise<AnyClient> {
  // The client goes on trying, and only tells its listeners why it fails.
  let reason: unknown;
  client.on('error', (error) => (reason = error));
  try {
    await inTime(client.connect(), { timeout: options.timeout });
  } catch (error) {
    await end(client);
    throw reason === undefined ? error : unavailable(reason);
  }
  return ofNodeRedis(client, options, true);
}

/** Never fails: some versions refuse to end a client that has given up by itself, or has never been connected. */
async function end(client: AnyNodeRedis): Promise<void> {
  try {
    await (client.destroy ?? client.disconnect)?.call(client);
  } catch {
    // It has no connection any more, which is all that is wanted.
  }
}

/** The client reconnects by itself; until then commands fail or wait, which callers see. */
function ignore(): void {}

/** Makes a client with `@redis/client`, an optional peer dependency. */
export async function connectTo(url: string, options: ClientOptions): Promise<AnyClient> {
  const { createClient } = await loadClient();
  const client = createClient({
    url,
    socket: { reconnectStrategy: (retries: number) => Math.min(2000, 20 * 2 ** Math.min(retries, 7)) },
  });
  client.on('error', ignore);
  return connected(client, options);
}

async function loadClient(): Promise<typeof import('@redis/client')> {
  try {
    return await import('@redis/client');
  } catch (cause) {
    const message = 'A Redis log with `url` needs the package "@redis/client": npm install @redis/client';
    throw createLogError('package/missing', message, { details: { package: '@redis/client' }, cause });
  }
}
