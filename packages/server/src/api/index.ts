import type { ServerPart } from '../server/part.ts';
import { registerCursor } from './cursor.ts';
import { registerOpenApi } from './openapi.ts';
import { registerPublish } from './publish.ts';
import { API_SETTINGS } from './settings.ts';
import { registerStream } from './stream.ts';

/** The HTTP API: publishing at `/v1/publish`, streams at `/v1/events`. */
export const api: ServerPart = {
  name: 'api',
  settings: API_SETTINGS,
  async register(context) {
    await registerStream(context);
    registerCursor(context);
    registerOpenApi(context);
    return registerPublish(context);
  },
};
