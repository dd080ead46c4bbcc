import { TidingsError } from 'tidings';
import { checkAuth } from '../auth/index.ts';
import type { Environment } from '../config/load.ts';
import type { Settings } from '../config/setting.ts';
import { checkCertificate } from './certificate.ts';
import { isDevelopment } from './development.ts';
import { durabilityOf } from './open-log.ts';
import { PARTS } from './parts.ts';
import { type Warning, assertSafe } from './safety.ts';

export interface Checked {
  readonly problems: readonly TidingsError[];
  readonly warnings: readonly Warning[];
}

/** Does everything that could fail before a server opens its log and its ports: it reads all files that the settings name. */
export async function checkSettings(
  settings: Settings,
  environment: Environment,
  now: number = Date.now(),
): Promise<Checked> {
  const problems: TidingsError[] = [];
  let warnings: readonly Warning[] = [];
  const checks: readonly (() => unknown)[] = [
    () => (warnings = assertSafe(settings, isDevelopment(settings, environment))),
    () => checkAuth(settings),
    () => checkCertificate(settings, now),
    () => durabilityOf(settings),
    ...PARTS.map((part) => () => part.check?.(settings)),
  ];
  for (const check of checks) {
    try {
      await check();
    } catch (error) {
      if (!(error instanceof TidingsError)) throw error;
      problems.push(error);
    }
  }
  return { problems, warnings };
}
