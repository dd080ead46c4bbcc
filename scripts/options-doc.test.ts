import { readFileSync, readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { RUN_HANDLER_OPTIONS } from '../packages/tidings/src/ai/handlers.ts';
import { RUNS_OPTIONS } from '../packages/tidings/src/ai/options.ts';
import { PORT_OPTIONS } from '../packages/tidings/src/ai/ports/stored-streams.ts';
import { RUN } from '../packages/tidings/src/ai/ports/tanstack.ts';
import { RUNS_CLOSE_OPTIONS, START_OPTIONS } from '../packages/tidings/src/ai/runs.ts';
import { CHAT_TRANSPORT_OPTIONS } from '../packages/tidings/src/chat/options.ts';
import {
  CLIENT_OPTIONS,
  RETRY_OPTIONS,
  SHARING_OPTIONS,
  TIMEOUTS,
} from '../packages/tidings/src/client/check-options.ts';
import type { EventSourceOptions } from '../packages/tidings/src/client/event-source/types.ts';
import { TYPED_CLIENT_OPTIONS } from '../packages/tidings/src/events/typed-client.ts';
import { AUTHORIZATION, MEMBER } from '../packages/tidings/src/http/answers.ts';
import { HANDLER_OPTIONS } from '../packages/tidings/src/http/check-options.ts';
import { CORS_OPTIONS } from '../packages/tidings/src/http/cors.ts';
import { DIRECT_EVENT } from '../packages/tidings/src/hub/direct-event.ts';
import { CLOSE_OPTIONS, DISCONNECT_OPTIONS } from '../packages/tidings/src/hub/hub.ts';
import { CONSUME_OPTIONS } from '../packages/tidings/src/hub/consume/options.ts';
import { WEBHOOK_OPTIONS } from '../packages/tidings/src/hub/consume/webhook.ts';
import {
  DISCONNECT_TARGET,
  REVOKE_OPTIONS,
  REVOKE_TARGET,
} from '../packages/tidings/src/hub/cluster/orders.ts';
import { HEALTH_OPTIONS } from '../packages/tidings/src/hub/health.ts';
import { STATS_OPTIONS } from '../packages/tidings/src/hub/hub-stats.ts';
import { LIMITS } from '../packages/tidings/src/hub/limits.ts';
import { CLUSTER_OPTIONS, HUB_OPTIONS } from '../packages/tidings/src/hub/options.ts';
import { PRESENCE_RULE } from '../packages/tidings/src/hub/presence/presence.ts';
import { SUBSCRIBE_OPTIONS } from '../packages/tidings/src/hub/subscribe.ts';
import { RETENTION } from '../packages/tidings/src/log/retention.ts';
import { TOPIC_RULE } from '../packages/tidings/src/log/topic-rules.ts';
import { MEMORY_LOG_OPTIONS } from '../packages/tidings/src/logs/memory/index.ts';
import { HUB_METRICS_OPTIONS } from '../packages/tidings/src/metrics/options.ts';
import { SOCKET_OPTIONS } from '../packages/tidings/src/node/handler.ts';
import type { EventOptions } from '../packages/tidings/src/protocol/event.ts';
import {
  EVENT_OPTIONS,
  LATEST_OPTIONS,
  LIST_OPTIONS,
  PRESENCE_OPTIONS,
  REDUCER_OPTIONS,
  STATE_OPTIONS,
} from '../packages/tidings/src/react/check-options.ts';
import { PROVIDER_PROPS } from '../packages/tidings/src/react/provider.ts';

const sources = new URL('../packages/tidings/src/', import.meta.url);

/** An option bag without a table of checks: the compiler holds this list to the bag's type. */
type Names<Options> = { readonly [Name in keyof Required<Options>]: true };

const EVENT: Names<EventOptions> = {
  type: true,
  id: true,
  key: true,
  tombstone: true,
  ttl: true,
  ifSeq: true,
  ifAbsent: true,
  private: true,
  raw: true,
  tags: true,
};
const EVENT_SOURCE: Names<EventSourceOptions> = {
  withCredentials: true,
  headers: true,
  method: true,
  body: true,
  fetch: true,
};

/** The options that the table under each heading has to list. */
const expected: Readonly<Record<string, object>> = {
  createHub: HUB_OPTIONS,
  compression: checkedIn('node/gzip.ts', 'GzipOptions'),
  limits: LIMITS,
  replay: RETENTION,
  presence: PRESENCE_RULE,
  'disconnect and close': {
    ...DISCONNECT_TARGET,
    ...prefixed('disconnect', DISCONNECT_OPTIONS),
    ...prefixed('close', CLOSE_OPTIONS),
  },
  'Logs, memoryLog': MEMORY_LOG_OPTIONS,
  'Logs, lmdbLog': checkedIn('logs/lmdb/index.ts', 'LmdbLogOptions'),
  postgresLog: checkedIn('logs/postgres/index.ts', 'PostgresLogOptions'),
  redisLog: checkedIn('logs/redis/options.ts', 'RedisLogOptions'),
  Retention: RETENTION,
  'Topic rules': TOPIC_RULE,
  publish: EVENT,
  'subscribe and send': SUBSCRIBE_OPTIONS,
  send: DIRECT_EVENT,
  cluster: CLUSTER_OPTIONS,
  stats: STATS_OPTIONS,
  health: HEALTH_OPTIONS,
  hubMetrics: HUB_METRICS_OPTIONS,
  revoke: { ...REVOKE_TARGET, ...REVOKE_OPTIONS },
  consume: CONSUME_OPTIONS,
  webhook: WEBHOOK_OPTIONS,
  sse: { ...HANDLER_OPTIONS, ...SOCKET_OPTIONS, onError: true },
  'What authorize returns': { ...without(AUTHORIZATION, 'member'), ...prefixed('member', MEMBER) },
  cors: CORS_OPTIONS,
  connect: {
    ...without(CLIENT_OPTIONS, 'retry', 'timeouts'),
    ...prefixed('retry', RETRY_OPTIONS),
    ...prefixed('timeouts', TIMEOUTS),
    ...prefixed('shared', SHARING_OPTIONS),
  },
  EventSource: EVENT_SOURCE,
  defineEvents: TYPED_CLIENT_OPTIONS,
  TidingsProvider: PROVIDER_PROPS,
  useLatest: LATEST_OPTIONS,
  useStates: STATE_OPTIONS,
  useList: LIST_OPTIONS,
  useEventReducer: REDUCER_OPTIONS,
  useEvent: EVENT_OPTIONS,
  usePresence: PRESENCE_OPTIONS,
  createRuns: RUNS_OPTIONS,
  'assistantUiStore and tanstackDurability': { ...PORT_OPTIONS, ...RUN },
  createChatTransport: CHAT_TRANSPORT_OPTIONS,
  start: START_OPTIONS,
  'follow, stop and close of runs': { ...RUN_HANDLER_OPTIONS, ...RUNS_CLOSE_OPTIONS },
};

/** The options in a table of checks that its file doesn't export. The compiler holds the table to the bag's type. */
function checkedIn(file: string, bag: string): Record<string, true> {
  const source = readFileSync(new URL(file, sources), 'utf8');
  const table = new RegExp(`const \\w+: Checks<${bag}> = \\{(.*?)\\};\\n`, 's').exec(source)?.[1];
  if (table === undefined) throw new Error(`${file} has no table of checks for ${bag}.`);
  // A line for each option, or a single line for a single option.
  const names = table.matchAll(/^ {0,2}(\w+): /gm);
  return Object.fromEntries(Array.from(names, ([, name = '']) => [name, true]));
}

function prefixed(prefix: string, options: object): Record<string, true> {
  return Object.fromEntries(Object.keys(options).map((name) => [`${prefix}.${name}`, true]));
}

function without(options: object, ...names: readonly string[]): object {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)));
}

/**
 * The options that a page names, by heading: the code in the first cells of each table whose header speaks of options.
 * A table with a column for each log counts once for each, without the rows that are `–` there.
 */
function documentedOptions(page: string): Record<string, string[]> {
  const documented: Record<string, string[]> = {};
  let heading = '';
  let header: readonly string[] | undefined;
  for (const line of page.split('\n')) {
    const title = /^#+ (.*)$/.exec(line);
    if (title?.[1] !== undefined) heading = title[1].replaceAll('`', '');
    if (!line.startsWith('|')) {
      header = undefined;
      continue;
    }
    const cells = line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim());
    header ??= cells;
    const [kind = ''] = header;
    if (header === cells || cells[0]?.startsWith('-') === true || kind === '`item.kind`') continue;
    const names = [...(cells[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    const logs = header.flatMap((title, column) => (/^`\w+Log`$/.test(title) ? [column] : []));
    if (logs.length === 0) (documented[heading] ??= []).push(...names);
    for (const column of logs) {
      const key = `${heading}, ${header[column]?.replaceAll('`', '')}`;
      if (cells[column] !== '–') (documented[key] ??= []).push(...names);
    }
  }
  return documented;
}

/** Options without a row, rows without an option, and options with two rows, as `heading: option`. */
function compare(page: string): { missing: string[]; invented: string[] } {
  const documented = documentedOptions(page);
  const rows = Object.entries(documented).flatMap(([heading, names]) =>
    names.map((name) => `${heading}: ${name}`),
  );
  const options = Object.entries(expected).flatMap(([heading, names]) =>
    Object.keys(names).map((name) => `${heading}: ${name}`),
  );
  return {
    missing: options.filter((option) => !rows.includes(option)),
    invented: rows.filter((row, index) => !options.includes(row) || rows.indexOf(row) !== index),
  };
}

const page = readFileSync(new URL('../docs/options.md', import.meta.url), 'utf8');

it('docs/options.md has a row for every option, and none for an option that does not exist', () => {
  expect(compare(page)).toEqual({ missing: [], invented: [] });
});

it('every table of checks in the sources belongs to a table of docs/options.md', () => {
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /(?<!\.test|\.test-d)\.ts$/.test(name),
  );
  const checked = files.flatMap((name) =>
    [...readFileSync(new URL(name, sources), 'utf8').matchAll(/const \w+: Checks<([^=]+)> =/g)].map(
      ([, bag]) => bag,
    ),
  );
  // The bags of `expected`: a new one gets a line there, a table on the page and its name here.
  expect(new Set(checked)).toEqual(
    new Set([
      'Authorization',
      'ChatTransportOptions',
      'ClientOptions',
      'CloseOptions',
      'CorsOptions',
      'DirectEvent',
      'DisconnectOptions',
      'EventHookOptions<Matcher>',
      'GzipOptions',
      'HandlerOptions<never>',
      'HubLimits',
      'LatestOptions<Matcher, unknown>',
      'ListOptions<Matcher, unknown, ReceivedEvent>',
      'PortOptions',
      'PresenceOptions',
      "Omit<TidingsProviderProps, 'children'>",
      'ReducerOptions<Matcher, unknown>',
      'StatesOptions<Matcher, unknown>',
      'HealthOptions',
      'HubMetricsOptions',
      'HubOptions',
      'LmdbLogOptions',
      'Member',
      'MemoryLogOptions',
      "NonNullable<ClientOptions['timeouts']>",
      'PostgresLogOptions',
      'PresenceRule',
      'RedisLogOptions',
      'Retention',
      'RetryPolicy',
      'RunHandlerOptions',
      'RunsCloseOptions',
      'RunsOptions',
      'SharingOptions',
      'SocketOptions',
      'StartOptions',
      'SubscribeOptions',
      'TanStackRun',
      'TopicRule',
      'ClusterOptions',
      'ConsumeOptions',
      'DisconnectTarget',
      'RevokeOptions',
      'RevokeTarget',
      'StatsOptions',
      'WebhookOptions',
      'TypedClientOptions<boolean>',
    ]),
  );
});

it('an option without a row is noticed', () => {
  const row = /^\| `heartbeat` .*\n/m;
  expect(page).toMatch(row);
  expect(compare(page.replace(row, ''))).toEqual({ missing: ['createHub: heartbeat'], invented: [] });
});

it('an option that one of two logs lacks is noticed', () => {
  const renamed = page.replace('| `restored` | – |', '| `restored` | `false` |');
  expect(compare(renamed)).toEqual({ missing: [], invented: ['Logs, memoryLog: restored'] });
});

it('a row for an option that does not exist is noticed', () => {
  const renamed = page.replace(/^\| `heartbeat` /m, '| `heartbeats` ');
  expect(compare(renamed)).toEqual({
    missing: ['createHub: heartbeat'],
    invented: ['createHub: heartbeats'],
  });
});
