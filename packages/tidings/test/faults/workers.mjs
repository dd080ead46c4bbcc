// Several processes on one durable log and one port, to be killed: POST /publish takes a JSON array of events and
// answers 201, all else is about streams. Says on its output, in a line of JSON each, which workers listen.
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { createHub } from 'tidings';
import { lmdbLog } from 'tidings/lmdb';
import { sse } from 'tidings/node';

const [path, port, workers] = process.argv.slice(2);

function startPrimary() {
  for (let i = 0; i < Number(workers); i += 1) cluster.fork();
  cluster.on('exit', () => cluster.fork());
  cluster.on('listening', ({ process: { pid } }) => process.stdout.write(`${JSON.stringify({ pid })}\n`));
}

function startWorker() {
  const hub = createHub({ log: lmdbLog({ path, shared: true }), heartbeat: 500, retry: 20 });
  const serve = sse(hub, { headers: { 'x-worker': String(process.pid) } });
  createServer((req, res) => {
    // The next request may then reach another process.
    if (req.method === 'POST') res.setHeader('connection', 'close');
    if (req.url !== '/publish') return serve(req, res);
    publish(hub, req, res).catch((/** @type {unknown} */ error) => res.writeHead(500).end(String(error)));
  }).listen(Number(port), '127.0.0.1');
}

async function publish(hub, req, res) {
  let body = '';
  for await (const chunk of req) body += chunk;
  const published = await hub.publishAll(JSON.parse(body));
  res.writeHead(201, { 'content-type': 'application/json', 'x-worker': String(process.pid) });
  res.end(JSON.stringify(published));
}

if (cluster.isPrimary) startPrimary();
else startWorker();
