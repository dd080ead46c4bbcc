import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import { type Hub, webhook } from 'tidings';
import { createError } from 'tidings/transport';
import type { Settings } from '../../config/setting.ts';
import { shownOrigin } from '../../config/shown-url.ts';
import type { Observers } from '../../server/part.ts';
import * as rows from '../../server/settings.ts';
import { createConnectionRecords } from './connection-records.ts';
import { type Hook, secretsOf, webhooks as webhooksRow } from './hook.ts';
import { type HookWatch, type RunningHook, runHook } from './running-hook.ts';

export interface WebhooksDeps {
  readonly hub: Hub;
  readonly observers: Observers;
  readonly logger: Logger;
  readonly metrics: Registry;
}

/** A webhook for the admin API, without its secrets: of its URL, there is only the origin. */
export interface HookView {
  readonly name: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly topics: readonly string[];
  /** Whether this server is the one that posts. */
  readonly active: boolean;
  /** Milliseconds since 1970. */
  readonly failingSince: number | undefined;
  readonly lastFailure: string | undefined;
}

export interface Webhooks {
  /** Takes these settings, all or none. @throws {TidingsError} `config/invalid`, `hub/invalid-option`. */
  reload(settings: Settings): Promise<void>;
  views(): readonly HookView[];
}

/** Tells other programs, over HTTP, of connections and presence. */
export async function startWebhooks(settings: Settings, deps: WebhooksDeps): Promise<Webhooks> {
  const { hub, logger, metrics, observers } = deps;
  const running = new Map<string, RunningHook>();
  const { watch, lost } = createWatch(metrics, running, logger);
  const records = createConnectionRecords(hub, logger, lost);
  observers.add(records);

  async function reload(next: Settings): Promise<void> {
    // Finds every mistake before anything is stopped.
    const wanted = checkWebhooks(next);
    for (const [key, { consumer }] of running) {
      if (wanted.some((each) => each.key === key)) continue;
      running.delete(key);
      await consumer.stop();
    }
    for (const { hook, secrets, key } of wanted)
      if (!running.has(key)) running.set(key, runHook(hub, hook, secrets, watch));
    records.isWanted = wanted.some(
      ({ hook: { events } }) => events.includes('connect') || events.includes('disconnect'),
    );
  }

  await reload(settings);
  return { reload, views: () => Array.from(running.values(), viewOf) };
}

/** @throws {TidingsError} `config/invalid`, `hub/invalid-option`. */
export function checkWebhooks(settings: Settings): readonly {
  readonly hook: Hook;
  readonly secrets: readonly string[];
  /** Equal for hooks that do the same. */
  readonly key: string;
}[] {
  const hooks = settings.get(webhooksRow);
  assertPresence(hooks, settings);
  return hooks.map((hook) => {
    const secrets = secretsOf(hook);
    webhook({ url: hook.url, secret: secrets });
    return { hook, secrets, key: JSON.stringify([hook, secrets]) };
  });
}

function viewOf({ hook, consumer, failingSince, lastFailure }: RunningHook): HookView {
  const { name, url, events, topics } = hook;
  const failure = failingSince === undefined ? undefined : lastFailure;
  return {
    name,
    url: shownOrigin(url),
    events,
    topics,
    active: consumer.active,
    failingSince,
    lastFailure: failure,
  };
}

/** @throws {TidingsError} `config/invalid`: without a rule there is no presence to tell of. */
function assertPresence(hooks: readonly Hook[], settings: Settings): void {
  if (settings.get(rows.presence).length > 0) return;
  const hook = hooks.find(({ events }) =>
    events.some((event) => event !== 'connect' && event !== 'disconnect'),
  );
  if (hook === undefined) return;
  throw createError(
    'config/invalid',
    `The webhook "${hook.name}" is about presence, but \`${rows.presence.name}\` has no rule: say on which topics to count.`,
    { details: { setting: webhooksRow.name } },
  );
}

function createWatch(
  registry: Registry,
  running: ReadonlyMap<string, RunningHook>,
  logger: Logger,
): { readonly watch: HookWatch; readonly lost: () => void } {
  const registers = [registry];
  const requests = new Counter({
    name: 'tidings_webhook_requests_total',
    help: 'Events that a webhook took, and attempts that failed, by the status of the answer.',
    labelNames: ['hook', 'outcome', 'status'],
    registers,
  });
  const losses = new Counter({
    name: 'tidings_webhook_lost_records_total',
    help: 'Connections that webhooks will not hear of, because the log was away.',
    registers,
  });
  const failing = new Gauge({
    name: 'tidings_webhook_failing_seconds',
    help: 'How long a webhook has been refusing its present event; 0 if it is well.',
    labelNames: ['hook'],
    registers: [],
    collect() {
      this.reset();
      for (const { hook, failingSince } of running.values())
        this.set({ hook: hook.name }, failingSince === undefined ? 0 : (Date.now() - failingSince) / 1000);
    },
  });
  registry.registerMetric(failing);
  return {
    watch: {
      sent: (hook) => requests.inc({ hook, outcome: 'taken', status: '2xx' }),
      failed(hook, { outcome: status, ...failure }) {
        requests.inc({ hook, outcome: 'failed', status });
        logger.warn(
          { hook, status, ...failure },
          failure.isRetried
            ? 'a webhook failed; it is tried again'
            : 'a webhook failed; its event is given up',
        );
      },
      recovered: (hook, since) => logger.info({ hook, ...since }, 'a webhook works again'),
    },
    lost: () => losses.inc(),
  };
}
