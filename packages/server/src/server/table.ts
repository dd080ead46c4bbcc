import { API_SETTINGS } from '../api/settings.ts';
import { AUTH_SETTINGS } from '../auth/settings.ts';
import type { Setting } from '../config/setting.ts';
import { MERCURE_SETTINGS } from '../mercure/settings.ts';
import { OPERATION_SETTINGS } from '../operation/settings.ts';
import { SERVER_SETTINGS } from './settings.ts';

/** Every setting there is. Commands that only read the configuration need this alone, and none of the parts. */
export const SETTINGS: readonly Setting[] = [
  ...SERVER_SETTINGS,
  ...AUTH_SETTINGS,
  ...OPERATION_SETTINGS,
  ...API_SETTINGS,
  ...MERCURE_SETTINGS,
];
