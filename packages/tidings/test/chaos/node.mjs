// A hub on a log in Redis or PostgreSQL, to be killed: GET serves events, POST publishes a JSON array of them and answers 201.
import { createServer } from 'node:http';
import { createHub } from 'tidings';
import { postgresLog } from 'tidings/postgres';
import { redisLog } from 'tidings/redis';
import { sse } from 'tidings/node';

const [engine, url, port, durability, lease] = process.argv.slice(2);

async function open() {
  for (;;) {
    try {
      // The server's settings say what a commit of PostgreSQL waits for.
      if (engine === 'postgres') return await postgresLog({ url, timeout: 1500, onError: () => {} });
      return await redisLog({ url, durability, timeout: 1500 });
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const hub = createHub({
  log: await open(),
  heartbeat: 500,
  retry: 20,
  limits: { connectionsPerAddress: Infinity },
  presence: [{ match: 'room', grace: 500, interval: 50 }],
  cluster: { name: port, lease: Number(lease) },
  onError: () => {},
});
const serve = sse(hub);

async function publish(req, res) {
  let body = '';
  for await (const chunk of req) body += chunk;
  const published = await hub.publishAll(JSON.parse(body));
  res.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(published));
}

createServer((req, res) => {
  if (req.url === '/presence') return res.end(String(hub.presence('room').count));
  if (req.url === '/nodes') return res.end(String(hub.stats({ cluster: true }).nodes.length));
  if (req.method !== 'POST') return serve(req, res);
  publish(req, res).catch((/** @type {unknown} */ error) => res.writeHead(503).end(String(error)));
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('listening\n'));
