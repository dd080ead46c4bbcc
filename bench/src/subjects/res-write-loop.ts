/** The usual hand-written loop. */
import express, { type Response } from 'express';
import { serve } from './serve.ts';

const clients = new Set<Response>();
const app = express();

app.get('/events', (req, res) => {
  res.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  res.flushHeaders();
  clients.add(res);
  req.on('close', () => clients.delete(res));
});

serve({
  listener: app,
  connections: () => clients.size,
  send(data, number) {
    for (const res of clients) res.write(`id: ${number}\ndata: ${data}\n\n`);
  },
});
