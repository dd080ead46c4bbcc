import type { ServerPart } from '../server/part.ts';
import { createAccessLog } from './access-log.ts';
import { registerAdmin } from './admin/index.ts';
import { adminTokenOf } from './admin-token.ts';
import { registerHealth } from './health.ts';
import { registerMetrics } from './metrics.ts';
import { OPERATION_SETTINGS, tracing } from './settings.ts';
import { createSpans } from './spans.ts';
import { RecentTraces } from './trace-context.ts';

/** For operators: health, metrics, the admin API on the internal port; the access log, spans. */
export const operation: ServerPart = {
  name: 'operation',
  settings: OPERATION_SETTINGS,
  async register(context) {
    const { settings, developmentKey, observers, publicApp, internalApp, logger } = context;
    const accessLog = createAccessLog(publicApp, { logger, settings });
    const traces = new RecentTraces();
    observers.add(accessLog);
    observers.add(traces);
    if (settings.get(tracing)) observers.add(await createSpans(publicApp));
    let token = adminTokenOf(settings, developmentKey);
    if (internalApp === undefined) return { reload: (next) => accessLog.reload(next) };
    const health = registerHealth(internalApp, context);
    registerMetrics(internalApp, context);
    registerAdmin(internalApp, { ...context, traces, token: () => token });
    return {
      reload(next) {
        token = adminTokenOf(next, developmentKey);
        accessLog.reload(next);
      },
      close: () => health.close?.(),
    };
  },
};
