import type { ServerPart } from '../server/part.ts';
import { createAccessLog } from './access-log.ts';
import { registerAdmin } from './admin/index.ts';
import { adminTokenOf } from './admin-token.ts';
import { registerConsole } from './console.ts';
import { registerHealth } from './health.ts';
import { createMetrics, registerMetrics } from './metrics.ts';
import { OPERATION_SETTINGS, tracing } from './settings.ts';
import { createSpans } from './spans.ts';
import { RecentTraces } from './trace-context.ts';
import { checkWebhooks, startWebhooks } from './webhooks/index.ts';

/** For operators: health, metrics, the admin API on the internal port; the access log, spans, webhooks. */
export const operation: ServerPart = {
  name: 'operation',
  settings: OPERATION_SETTINGS,
  check(settings) {
    adminTokenOf(settings, undefined);
    checkWebhooks(settings);
  },
  async register(context) {
    const { settings, hub, developmentKey, observers, publicApp, internalApp, logger } = context;
    const accessLog = createAccessLog(publicApp, { logger, settings });
    const traces = new RecentTraces();
    observers.add(accessLog);
    observers.add(traces);
    const metrics = createMetrics(context);
    const webhooks = await startWebhooks(settings, { hub, observers, logger, metrics });
    if (settings.get(tracing)) observers.add(await createSpans(publicApp));
    let token = adminTokenOf(settings, developmentKey);
    const health = internalApp && registerHealth(internalApp, context);
    if (internalApp !== undefined) {
      registerMetrics(internalApp, metrics);
      registerConsole(internalApp, logger);
      registerAdmin(internalApp, { ...context, traces, webhooks, token: () => token });
    }
    return {
      async reload(next) {
        const newToken = adminTokenOf(next, developmentKey);
        await webhooks.reload(next);
        token = newToken;
        accessLog.reload(next);
      },
      close: () => health?.close?.(),
    };
  },
};
