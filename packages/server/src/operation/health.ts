import type { FastifyInstance } from 'fastify';
import type { HubHealth } from 'tidings';
import type { RunningPart, ServerContext } from '../server/part.ts';
import { deadAfter } from './settings.ts';

/** Milliseconds that the log has to answer a readiness check. Kubernetes gives up on a probe after a second. */
const READY_WITHIN = 800;
/** Milliseconds between two looks at a log that nobody asks about. */
const LOOK_EVERY = 5000;

/**
 * `/health/ready`: whether to send new clients here. Quick to fail and to mend.
 *
 * `/health/live`: whether a restart would help. A process whose event loop is stuck doesn't answer at all; a log that is away
 * comes back by itself, so it counts only when it has been away for long.
 */
export function registerHealth(
  app: FastifyInstance,
  { hub, phase, settings }: Pick<ServerContext, 'hub' | 'phase' | 'settings'>,
  now: () => number = () => performance.now(),
): RunningPart {
  const patience = settings.get(deadAfter);
  let upAt = now();
  let looking: Promise<HubHealth> | undefined;

  /** Questions that come while the log is being asked share its answer. */
  function look(): Promise<HubHealth> {
    looking ??= ask().finally(() => (looking = undefined));
    return looking;
  }

  async function ask(): Promise<HubHealth> {
    const health = await hub.health({ within: READY_WITHIN });
    if (health.log.up) upAt = now();
    return health;
  }

  const timer = setInterval(() => void look(), LOOK_EVERY);
  timer.unref();

  app.get('/health/ready', async (_request, reply) => {
    const { ready, draining, started, log } = await look();
    const isReady = ready && phase() === 'serving';
    return reply
      .code(isReady ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({
        ready: isReady,
        phase: draining ? 'draining' : phase(),
        caughtUp: started,
        log: log.up ? 'up' : 'away',
      });
  });

  app.get('/health/live', (_request, reply) => {
    const away = now() - upAt;
    // While it closes, the log is closed on purpose.
    const isLive = away < patience || phase() === 'draining' || phase() === 'closed';
    return reply
      .code(isLive ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ live: isLive, logAwayFor: Math.round(Math.max(0, away - LOOK_EVERY) / 1000) });
  });

  return { close: () => clearInterval(timer) };
}
