import { createHub } from 'tidings';
import { sse } from 'tidings/fetch';

const hub = createHub();
const events = sse(hub);

async function handle(request) {
  const { pathname } = new URL(request.url);
  if (pathname === '/events') return events(request);
  if (pathname !== '/news' || request.method !== 'POST') return new Response(null, { status: 404 });
  if (!(Number(request.headers.get('content-length')) <= 10_000)) return new Response(null, { status: 413 });
  const body = await request.json().catch(() => null);
  if (typeof body?.title !== 'string') return new Response(null, { status: 400 });
  const { cursor } = await hub.publish('news', { title: body.title });
  return Response.json({ cursor }, { status: 201 });
}

const server = Deno.serve({
  port: Number(Deno.env.get('PORT') ?? 3000),
  handler: handle,
  onListen: ({ port }) => console.log(`http://localhost:${port}`),
});
async function shutDown() {
  Deno.removeSignalListener('SIGTERM', shutDown);
  await hub.close();
  await server.shutdown();
}
Deno.addSignalListener('SIGTERM', shutDown);
