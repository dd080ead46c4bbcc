/** The hand-written loop on `node:http`, `node:https` and `node:http2`, without a framework. */
import type { ServerResponse } from 'node:http';
import { serve } from './serve.ts';

const clients = new Set<ServerResponse>();

serve({
  listener(req, res) {
    res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    res.flushHeaders();
    clients.add(res);
    res.on('close', () => clients.delete(res));
  },
  connections: () => clients.size,
  send(data, number) {
    for (const res of clients) res.write(`id: ${number}\ndata: ${data}\n\n`);
  },
});
