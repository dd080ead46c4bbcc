/** As its documentation shows it for Express; over HTTP/2, which Express doesn't speak, without it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createChannel, createSession } from 'better-sse';
import express from 'express';
import { wireOf } from '../harness/wire.ts';
import { serve } from './serve.ts';

const channel = createChannel();
const app = express();

async function open(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const session = await createSession(req, res, {
    // Events are text of an exact size here, not JSON.
    serializer: String,
    // Its comments go to each connection every 10 s even while events do. The others send none then, so here
    // neither, unless it is idle connections that are measured.
    keepAlive: process.argv.includes('idle') ? 10_000 : null,
  });
  channel.register(session);
}

app.get('/events', open);

serve({
  listener: wireOf(process.argv) === 'http2' ? (req, res) => void open(req, res) : app,
  connections: () => channel.sessionCount,
  send: (data, number) => channel.broadcast(data, 'message', { eventId: String(number) }),
});
