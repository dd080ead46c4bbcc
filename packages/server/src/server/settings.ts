import type { HubLimits, PresenceRule } from 'tidings';
import type { TopicRule } from 'tidings/log';
import { boolean, choice, duration, integer, list, number, path, size, text } from '../config/kinds.ts';
import type { Setting } from '../config/setting.ts';
import { logUrl } from './log-url.ts';
import { presenceRules, topicRules } from './rules.ts';

export const host: Setting<string> = {
  name: 'listen.host',
  kind: text,
  default: '127.0.0.1',
  help: 'the address to listen on; 0.0.0.0 for all of IPv4, :: for all',
};
export const port: Setting<number> = {
  name: 'listen.port',
  kind: integer(0, 65_535),
  default: 3333,
  help: 'the port to listen on; 0 takes a free one',
};
export const h2c: Setting<boolean> = {
  name: 'listen.h2c',
  kind: boolean,
  default: false,
  help: 'also speaks HTTP/2 without TLS, to proxies that can; browsers need TLS for it',
};
export const tlsCert: Setting<string | undefined> = {
  name: 'tls.cert-file',
  kind: path,
  default: undefined,
  help: 'the certificate with its chain, in PEM: the server speaks TLS, HTTP/2 and HTTP/1.1; read again when it changes',
  defaultHelp: 'no TLS',
  reloadable: true,
};
export const tlsKey: Setting<string | undefined> = {
  name: 'tls.key-file',
  kind: path,
  default: undefined,
  help: 'the private key of the certificate, in PEM',
  defaultHelp: 'no TLS',
  reloadable: true,
};
export const requestTimeout: Setting<number> = {
  name: 'listen.request-timeout',
  kind: duration(1000, 3_600_000),
  default: 30_000,
  help: 'how long a whole request may take to arrive; streams are answers, and not limited by it',
};
export const trustedProxies: Setting<readonly string[]> = {
  name: 'listen.trusted-proxies',
  kind: list(text),
  default: [],
  help: 'addresses or networks (10.0.0.0/8) of proxies whose X-Forwarded-For counts',
};

export const internalEnabled: Setting<boolean> = {
  name: 'internal.enabled',
  kind: boolean,
  default: true,
  help: 'serves metrics, health and administration on a port of their own',
};
export const internalHost: Setting<string> = {
  name: 'internal.host',
  kind: text,
  default: '127.0.0.1',
  help: 'the address of the internal port',
};
export const internalPort: Setting<number> = {
  name: 'internal.port',
  kind: integer(0, 65_535),
  default: 3334,
  help: 'the internal port; 0 takes a free one',
};

export const logAt: Setting<string> = {
  name: 'log.url',
  kind: logUrl,
  default: 'lmdb:./tidings-data/log',
  help: 'where events are kept: memory:, lmdb:FOLDER, redis://…, rediss://… or postgres://…',
};
export const logPrefix: Setting<string | undefined> = {
  name: 'log.prefix',
  kind: text,
  default: undefined,
  help: 'the prefix of the keys in Redis, or the schema in PostgreSQL',
  defaultHelp: '{tidings}: in Redis, tidings in PostgreSQL',
};
export const logDurability: Setting<'commit' | 'relaxed' | 'server' | 'replica' | 'disk' | undefined> = {
  name: 'log.durability',
  kind: choice('commit', 'relaxed', 'server', 'replica', 'disk'),
  default: undefined,
  help: 'when an event counts as published; which of them, depends on the log',
  defaultHelp: 'commit for LMDB, server for Redis and PostgreSQL',
};
export const logShared: Setting<boolean> = {
  name: 'log.shared',
  kind: boolean,
  default: false,
  help: 'lets several servers of this machine have the LMDB folder open at once',
};
export const retentionEvents: Setting<number | undefined> = {
  name: 'log.retention.events',
  kind: integer(1),
  default: undefined,
  help: 'how many events the log keeps',
  defaultHelp: '1,000,000; 100,000 in memory and Redis',
};
export const retentionBytes: Setting<number | undefined> = {
  name: 'log.retention.bytes',
  kind: size(1024),
  default: undefined,
  help: 'about how large the log may grow',
  defaultHelp: '256MiB in Redis, 64MiB in memory, elsewhere any size',
};
export const retentionAge: Setting<number | undefined> = {
  name: 'log.retention.age',
  kind: duration(1000),
  default: undefined,
  help: 'how long the log keeps an event',
  defaultHelp: 'any age',
};

export const topics: Setting<readonly TopicRule[]> = {
  name: 'topics',
  kind: topicRules,
  default: [],
  help: 'rules for topics: state, interval, keys, retention; the first that matches counts',
  reloadable: true,
};
export const presence: Setting<readonly PresenceRule[]> = {
  name: 'presence',
  kind: presenceRules,
  default: [],
  help: 'topics whose subscribers are counted, and listed up to members',
};

export const heartbeat: Setting<number> = {
  name: 'stream.heartbeat',
  kind: duration(1000, 3_600_000),
  default: 15_000,
  help: 'how long a stream may stay quiet before it gets a heartbeat',
};
export const retry: Setting<number> = {
  name: 'stream.retry',
  kind: duration(0, 3_600_000),
  default: 2000,
  help: 'how long clients wait before they reconnect',
};
export const stallTimeout: Setting<number> = {
  name: 'stream.stall-timeout',
  kind: duration(1000, 3_600_000),
  default: 30_000,
  help: 'how long a peer may take nothing while bytes are pending before it is dropped',
};
export const maxLifetime: Setting<number> = {
  name: 'stream.max-lifetime',
  kind: duration(1000, Infinity),
  default: 3_600_000,
  help: 'how old a stream may get before the client is asked to reconnect',
};
export const replayEvents: Setting<number> = {
  name: 'stream.replay.events',
  kind: integer(1),
  default: 10_000,
  help: 'how many of the events it missed one stream gets',
};
export const replayBytes: Setting<number> = {
  name: 'stream.replay.bytes',
  kind: size(1024),
  default: 8_388_608,
  help: 'about how much of what it missed one stream gets',
};
export const catchUpShare: Setting<number> = {
  name: 'stream.catch-up-share',
  kind: number(0.01, 1),
  default: 0.5,
  help: 'the share of the time that all streams which are catching up may take together',
};
export const compression: Setting<boolean> = {
  name: 'stream.compression',
  kind: boolean,
  default: false,
  help: 'compresses each flush once for all clients that accept gzip',
};

/** Limits of the hub, by its names for them. */
export const limits: { readonly [Name in keyof HubLimits]: Setting<number> } = {
  connections: limit('connections', 10_000, 'streams at once; more get a 503'),
  connectionsPerSubject: limit('connections-per-subject', Infinity, 'streams of one subject; more get a 429'),
  connectionsPerAddress: limit('connections-per-address', 200, 'streams of one address; more get a 429'),
  // HTTP/2 tells clients as soon as they connect.
  connectionsPerSession: {
    ...limit('connections-per-session', 1000, 'streams in one HTTP/2 session'),
    reloadable: false,
  },
  topicsPerConnection: limit('topics-per-connection', 100, 'topics and patterns of one stream'),
  patternsPerConnection: limit('patterns-per-connection', 10, 'patterns of one stream'),
  matcherLengthPerConnection: limit(
    'matcher-length-per-connection',
    16_384,
    'characters of all topics and patterns of one stream',
  ),
  topicLength: limit('topic-length', 1024, 'characters of a topic'),
  topicsPerEvent: limit('topics-per-event', 16, 'topics of one event'),
  eventLength: limit('event-length', 1_048_576, 'characters of the data of one event'),
  presenceTopics: limit('presence-topics', 10_000, 'topics on which presence is counted at a time'),
  presenceTopicsPerConnection: limit(
    'presence-topics-per-connection',
    20,
    'topics with presence of one stream',
  ),
};

function limit(name: string, value: number, help: string): Setting<number> {
  return {
    name: `limits.${name}`,
    kind: integer(1),
    default: value,
    help: `the most ${help}`,
    reloadable: true,
    ...(value === Infinity && { defaultHelp: 'any number' }),
  };
}

export const corsOrigins: Setting<readonly string[]> = {
  name: 'cors.origins',
  kind: list(text),
  default: [],
  help: 'origins whose pages may read streams, such as https://app.example; * for all',
};
export const corsCredentials: Setting<boolean> = {
  name: 'cors.credentials',
  kind: boolean,
  default: false,
  help: 'lets these pages send cookies',
};

export const shutdownDelay: Setting<number> = {
  name: 'shutdown.delay',
  kind: duration(0, 600_000),
  default: 0,
  help: 'how long to go on after SIGTERM while /health/ready already answers 503',
};
export const shutdownWithin: Setting<number> = {
  name: 'shutdown.within',
  kind: duration(0, 600_000),
  default: 5000,
  help: 'how long peers have to take the bytes sent to them when the server ends',
};

export const loggingLevel: Setting<'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'silent'> = {
  name: 'logging.level',
  kind: choice('fatal', 'error', 'warn', 'info', 'debug', 'silent'),
  default: 'info',
  help: 'the least severe messages that are logged',
  reloadable: true,
};

export const SERVER_SETTINGS: readonly Setting[] = [
  host,
  port,
  requestTimeout,
  trustedProxies,
  h2c,
  tlsCert,
  tlsKey,
  internalEnabled,
  internalHost,
  internalPort,
  logAt,
  logPrefix,
  logDurability,
  logShared,
  retentionEvents,
  retentionBytes,
  retentionAge,
  topics,
  presence,
  heartbeat,
  retry,
  stallTimeout,
  maxLifetime,
  replayEvents,
  replayBytes,
  catchUpShare,
  compression,
  ...Object.values(limits),
  corsOrigins,
  corsCredentials,
  shutdownDelay,
  shutdownWithin,
  loggingLevel,
];
