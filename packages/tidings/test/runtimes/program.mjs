// A hub behind the given entry point, in the given runtime. It writes its URL; a POST to /close publishes three events,
// closes the hub and ends the process at once, as a deploy does. A POST to /shutdown closes the hub, then the server, as the
// guide to frameworks says, and leaves the rest to the process. GET /connections answers how many there are.
import { createServer } from 'node:http';
import { createHub } from 'tidings';
import { sse as fetchSse } from 'tidings/fetch';
import { sse as nodeSse } from 'tidings/node';

const door = process.argv[2];
const hub = createHub({ heartbeat: 12_000 });

async function close() {
  for (const n of [1, 2, 3]) void hub.publish('a', n);
  await hub.close();
  process.exit(0);
}

if (door === 'node') {
  const events = nodeSse(hub);
  const server = createServer((req, res) => {
    if (req.url === '/connections') return res.end(String(hub.connections().length));
    if (req.url === '/shutdown') return res.end(() => void hub.close().then(() => server.close()));
    if (req.url !== '/close') return events(req, res);
    res.end();
    return void close();
  });
  server.listen(0, '127.0.0.1', () => announce(server.address().port));
} else {
  const events = fetchSse(hub);
  const handle = (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === '/connections') return new Response(String(hub.connections().length));
    if (pathname === '/shutdown') {
      setTimeout(() => void hub.close().then(stopServer), 0);
      return new Response();
    }
    if (pathname !== '/close') return events(request);
    setTimeout(() => void close(), 0);
    return new Response();
  };
  const stopServer = await serve(handle);
}

/** @returns what stops the server. */
async function serve(fetch) {
  const { Bun, Deno } = globalThis;
  if (Bun !== undefined) {
    // 0: not the ten seconds after which Bun ends a response that is quiet.
    const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch, idleTimeout: 0 });
    announce(server.port);
    return () => server.stop();
  }
  if (Deno !== undefined) {
    const server = Deno.serve({ port: 0, hostname: '127.0.0.1', onListen() {} }, fetch);
    announce(server.addr.port);
    return () => server.shutdown();
  }
  const { serve: serveHono } = await import('@hono/node-server');
  const server = serveHono({ fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => announce(port));
  return () => server.close();
}

function announce(port) {
  console.log(`http://127.0.0.1:${port}`);
}
