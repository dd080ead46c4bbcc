import type { Setting } from '../config/setting.ts';
import type { ServerPart } from '../server/part.ts';
import { registerPublish } from './publish.ts';
import { bodyLimit } from './settings.ts';
import { registerStream } from './stream.ts';

const API_SETTINGS: readonly Setting[] = [bodyLimit];

/** The HTTP API: publishing at `/v1/publish`, streams at `/v1/events`. */
export const api: ServerPart = {
  name: 'api',
  settings: API_SETTINGS,
  async register(context) {
    await registerStream(context);
    await registerPublish(context);
    return {};
  },
};
