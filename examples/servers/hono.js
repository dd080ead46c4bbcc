import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { createHub } from 'tidings';
import { sse } from 'tidings/fetch';

const hub = createHub();
const events = sse(hub);
const app = new Hono();
app.all('/events', (context) => events(context.req.raw, context.req));
app.post('/news', bodyLimit({ maxSize: 10_000 }), async (context) => {
  const body = await context.req.json().catch(() => null);
  if (typeof body?.title !== 'string') return context.body(null, 400);
  const { cursor } = await hub.publish('news', { title: body.title });
  return context.json({ cursor }, 201);
});

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`http://localhost:${port}`);
});
process.once('SIGTERM', async () => {
  await hub.close();
  server.close();
});
