import { createApp, fromNodeMiddleware, toNodeListener } from 'h3';
import { expect, test } from 'vitest';
import { ask } from '../../test/http/client.ts';
import { until } from '../../test/http/deadline.ts';
import { startHub } from '../../test/http/hub.ts';
import { serve } from '../../test/http/server.ts';
import { sse } from './index.ts';

test('On h3 1, as the guide mounts it, a stream brings events, and the hub notices when its reader leaves', async () => {
  const hub = startHub();
  const events = sse(hub);
  const app = createApp();
  app.use(
    '/events',
    fromNodeMiddleware((req, res, _next) => events(req, res)),
  );
  const { url } = await serve(toNodeListener(app));
  const { status, frames, cut } = await ask(`${url}/events?topic=a`);
  expect(status).toBe(200);
  await frames.nextEvent();
  await hub.publish('a', 1);
  expect((await frames.nextEvent()).data).toBe('1');
  cut();
  await until('the hub has noticed', () => hub.stats().connections === 0);
});
