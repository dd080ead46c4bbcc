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
        const { title } = await request.json();
        const { cursor } = await hub.publish('news', { title: String(title) });
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
