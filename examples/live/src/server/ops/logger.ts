import { pino } from 'pino';
import type { Logger } from 'pino';

export type { Logger };

/** JSON lines on standard output. */
export function createLogger(level: string): Logger {
  return pino({ level, base: null });
}
