// A hub on a durable log, to be killed: GET serves events, POST publishes a JSON array of them and answers 201.
import { createServer } from 'node:http';
import { createHub } from 'tidings';
import { lmdbLog } from 'tidings/lmdb';
import { sse } from 'tidings/node';

const [path, port] = process.argv.slice(2);
const hub = createHub({ log: lmdbLog({ path }), heartbeat: 500, retry: 20 });
const serve = sse(hub);

async function publish(req, res) {
  let body = '';
  for await (const chunk of req) body += chunk;
  const published = await hub.publishAll(JSON.parse(body));
  res.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(published));
}

createServer((req, res) => {
  if (req.method !== 'POST') return serve(req, res);
  publish(req, res).catch((/** @type {unknown} */ error) => res.writeHead(500).end(String(error)));
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('listening\n'));
