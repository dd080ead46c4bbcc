import { boolean, choice, duration, number, secret } from '../config/kinds.ts';
import type { Setting } from '../config/setting.ts';
import { webhooks } from './webhooks/hook.ts';

export const adminToken: Setting<string | undefined> = {
  name: 'internal.token',
  kind: secret,
  default: undefined,
  help: 'the token of the admin API and the console: at least 24 characters; without it both are off',
  reloadable: true,
};
export const deadAfter: Setting<number> = {
  name: 'health.dead-after',
  kind: duration(1000, Infinity),
  default: 600_000,
  help: 'how long the log may be away before /health/live fails, which makes orchestrators restart the server',
};
export const accessLevel: Setting<'off' | 'failures' | 'all'> = {
  name: 'logging.access',
  kind: choice('off', 'failures', 'all'),
  default: 'all',
  help: 'which requests and streams are logged; failures are those with a status of 400 or more',
  reloadable: true,
};
export const accessSample: Setting<number> = {
  name: 'logging.access-sample',
  kind: number(0, 1),
  default: 1,
  help: 'the share of requests and streams without a failure that is logged',
  reloadable: true,
};
export const tracing: Setting<boolean> = {
  name: 'tracing.enabled',
  kind: boolean,
  default: false,
  help: 'makes spans of OpenTelemetry for publishing and streams; needs @opentelemetry/api, and an SDK loaded first',
};

export const OPERATION_SETTINGS: readonly Setting[] = [
  adminToken,
  deadAfter,
  accessLevel,
  accessSample,
  tracing,
  webhooks,
];
