// The server: a hub, the data behind it, and the built page.
import express from 'express';
import { createHub, memoryLog } from 'tidings';
import { sse } from 'tidings/express';

const room = 'room/kitchen';
const notes = [];
const hub = createHub({
  log: memoryLog({ topics: [{ match: 'server', state: true, interval: 500 }] }),
  presence: [{ match: room, grace: 2000 }],
});

const app = express().use(express.json(), express.static(new URL('dist', import.meta.url).pathname));
app.use('/events', sse(hub));
app.get('/notes', (_req, res) => {
  const cursor = hub.cursor();
  res.json({ items: notes, cursor });
});
app.post('/notes', async (req, res) => {
  const note = { id: notes.length + 1, text: String(req.body.text ?? '').slice(0, 200) };
  notes.push(note);
  res.status(201).json(await hub.publish('notes', note, { type: 'note' }));
});

setInterval(() => {
  const memory = Math.round(process.memoryUsage().rss / 1e6);
  hub.publish('server', memory, { key: 'memory', type: 'memory' }).catch(console.error);
}, 1000).unref();

const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  process.stdout.write(`http://localhost:${server.address().port}\n`);
});
process.once('SIGTERM', async () => {
  server.close();
  await hub.close({ within: 500 });
  server.closeAllConnections();
});
