/** As its documentation shows it for Express. */
import { createChannel, createSession } from 'better-sse';
import express from 'express';
import { serve } from './serve.ts';

const channel = createChannel();
const app = express();

app.get('/events', async (req, res) => {
  const session = await createSession(req, res, {
    // Events are text of an exact size here, not JSON.
    serializer: String,
    // Its comments go to each connection every 10 s even while events do. The others send none then, so here
    // neither, unless it is idle connections that are measured.
    keepAlive: process.argv.includes('idle') ? 10_000 : null,
  });
  channel.register(session);
});

serve({
  listener: app,
  connections: () => channel.sessionCount,
  send: (data, number) => channel.broadcast(data, 'message', { eventId: String(number) }),
});
