import fastify from 'fastify';
import { createHub } from 'tidings';
import { sse } from 'tidings/fastify';

const hub = createHub();
const app = fastify();
await app.register(sse(hub), { prefix: '/events' });
app.post('/news', async (request, reply) => {
  const title = request.body?.title;
  if (typeof title !== 'string') return reply.code(400).send();
  const { cursor } = await hub.publish('news', { title });
  return reply.code(201).send({ cursor });
});

await app.listen({ port: Number(process.env.PORT ?? 3000) });
console.log(`http://localhost:${app.server.address().port}`);
process.once('SIGTERM', () => app.close()); // closes the hub, too
