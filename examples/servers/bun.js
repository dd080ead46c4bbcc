import { createHub } from 'tidings';
import { sse } from 'tidings/fetch';

const hub = createHub();
const events = sse(hub);
const server = Bun.serve({
  port: Number(process.env.PORT ?? 3000),
  idleTimeout: 0, // Bun would cut off a quiet stream
  maxRequestBodySize: 10_000,
  routes: {
    '/events': events,
    '/news': {
      async POST(request) {
        const body = await request.json().catch(() => null);
        if (typeof body?.title !== 'string') return new Response(null, { status: 400 });
        const { cursor } = await hub.publish('news', { title: body.title });
        return Response.json({ cursor }, { status: 201 });
      },
    },
  },
});
console.log(`http://localhost:${server.port}`);
process.once('SIGTERM', async () => {
  await hub.close();
  await server.stop();
});
