import { setTimeout as delay } from 'node:timers/promises';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { publishBurst, publishRate } from '../api/settings.ts';
import { createError, gatewayOf } from 'tidings/transport';
import { createAuthenticator } from '../auth/index.ts';
import { refuseRevoked } from '../auth/revocation.ts';
import type { Settings } from '../config/setting.ts';
import { reachable } from './addresses.ts';
import { createInternalApp, createPublicApp } from './apps.ts';
import { closerOf } from './closing.ts';
import { createServerHub, limitsOf } from './hub.ts';
import { createListener } from './listener.ts';
import { refuseForeignNames } from './local-hosts.ts';
import { createObservers } from './observers.ts';
import { openLog } from './open-log.ts';
import type { RunningPart, ServerContext, ServerPhase } from './part.ts';
import { PARTS } from './parts.ts';
import { createPublisher } from './publisher.ts';
import { type Rate, RateLimit } from './rate.ts';
import { mergeReloadable, reloadTopics } from './reload.ts';
import * as rows from './settings.ts';

export interface ServerDeps {
  readonly logger: Logger;
  /** The key of development mode, which the server runs in if there is one: tokens signed with it count. */
  readonly developmentKey?: Uint8Array;
}

export interface RunningServer {
  /** The URL by which this machine reaches it. */
  readonly publicUrl: string;
  readonly internalUrl: string | undefined;
  /**
   * Takes the reloadable ones of these settings, and warns of others that differ. Rejects, with everything as before,
   * if they make no sense.
   */
  reload(settings: Settings): Promise<void>;
  /** Drains, then closes: streams end with a goodbye that says when to come back, spread out. */
  close(): Promise<void>;
}

/** @throws {TidingsError} `log/*`, `config/*`. */
export async function startServer(settings: Settings, deps: ServerDeps): Promise<RunningServer> {
  const { logger } = deps;
  const undo: (() => unknown)[] = [];
  try {
    return await start(settings, deps, undo);
  } catch (error) {
    for (const step of undo.toReversed()) {
      try {
        await step();
      } catch (failure) {
        logger.error({ err: failure }, 'could not undo the start');
      }
    }
    throw error;
  }
}

async function start(
  settings: Settings,
  { logger, developmentKey }: ServerDeps,
  undo: (() => unknown)[],
): Promise<RunningServer> {
  const report = (error: unknown): void => logger.error({ err: error }, 'something failed in the background');
  const authenticator = await createAuthenticator(settings, { logger, developmentKey });
  undo.push(() => authenticator.close());
  const ownRules = PARTS.flatMap((part) => part.topicRules?.(settings) ?? []);
  const log = await openLog(settings, report, ownRules);
  undo.push(() => log.close());
  const hub = createServerHub(settings, log, report);
  undo.push(() => hub.close({ within: 0 }));
  const observers = createObservers(logger);
  const limit = new RateLimit(rateOf(settings), () => performance.now());
  const listener = await createListener(settings, logger);
  undo.push(() => listener.close());
  const publicApp = createPublicApp(settings, logger, listener);
  if (developmentKey !== undefined) refuseForeignNames(publicApp);
  const internalApp = settings.get(rows.internalEnabled) ? createInternalApp(settings, logger) : undefined;
  const closePublic = closerOf(publicApp);
  const closeInternal = internalApp && closerOf(internalApp);
  let phase: ServerPhase = 'starting';
  const context: ServerContext = {
    settings,
    hub,
    log,
    logger,
    authenticator: refuseRevoked(authenticator, gatewayOf(hub)),
    publisher: createPublisher(hub, observers, limit),
    observers,
    publicApp,
    internalApp,
    development: developmentKey !== undefined,
    developmentKey,
    phase: () => phase,
  };
  const parts: RunningPart[] = [];
  for (const part of PARTS) {
    const running = await part.register(context);
    parts.push(running);
    undo.push(() => running.close?.());
  }
  undo.push(
    () => publicApp.close(),
    () => internalApp?.close(),
  );
  // The internal port comes first: a probe may ask while the log is being opened elsewhere.
  const internalUrl =
    internalApp &&
    (await listen(internalApp, settings.get(rows.internalHost), settings.get(rows.internalPort)));
  const bound = await listen(publicApp, settings.get(rows.host), settings.get(rows.port));
  const publicUrl = bound.replace(/^http:/, `${listener.scheme}:`);
  phase = 'serving';

  async function close(): Promise<void> {
    phase = 'draining';
    await delay(settings.get(rows.shutdownDelay));
    const within = settings.get(rows.shutdownWithin);
    await hub.close({ within });
    await closePublic(within);
    listener.close();
    for (const part of parts.toReversed()) await part.close?.();
    await authenticator.close();
    phase = 'closed';
    await closeInternal?.(within);
  }

  let current = settings;
  let closing: Promise<void> | undefined;
  let reloading: Promise<void> = Promise.resolve();

  async function takeOver(next: Settings): Promise<void> {
    const merged = mergeReloadable(current, next, logger);
    // The steps that can fail come first: nothing counts unless everything does.
    const changes = [await authenticator.prepare(merged), await listener.prepare(merged)];
    for (const part of parts) await part.reload?.(merged);
    for (const take of changes) take();
    hub.setLimits(limitsOf(merged));
    limit.change(rateOf(merged));
    logger.level = merged.get(rows.loggingLevel);
    current = reloadTopics(current, merged, { log, own: ownRules, logger });
  }

  return {
    publicUrl,
    internalUrl,
    reload: (next) => {
      const turn = reloading.then(() => takeOver(next));
      reloading = turn.catch(() => {
        // The caller has it.
      });
      return turn;
    },
    close: () => (closing ??= close()),
  };
}

function rateOf(settings: Settings): Rate | undefined {
  const rate = settings.get(publishRate);
  return rate === undefined ? undefined : { rate, burst: settings.get(publishBurst) ?? 10 * rate };
}

/** @returns the URL at which this machine reaches it. */
async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw createError('config/address', `The server can't listen on ${host}:${port}: ${reason}`, { cause });
  }
  const { port: bound } = app.server.address() as AddressInfo;
  return `http://${reachable(host)}:${bound}`;
}
