import { api } from '../api/index.ts';
import { AUTH_SETTINGS } from '../auth/settings.ts';
import type { Setting } from '../config/setting.ts';
import { mercure } from '../mercure/index.ts';
import { operation } from '../operation/index.ts';
import type { ServerPart } from './part.ts';
import { SERVER_SETTINGS } from './settings.ts';

/** The parts of the server, in the order in which they are registered: `operation` adds hooks to the routes of those after it. */
export const PARTS: readonly ServerPart[] = [operation, api, mercure];

/** Every setting there is. */
export const SETTINGS: readonly Setting[] = [
  ...SERVER_SETTINGS,
  ...AUTH_SETTINGS,
  ...PARTS.flatMap(({ settings }) => settings),
];
