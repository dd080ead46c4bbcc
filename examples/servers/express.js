import { fileURLToPath } from 'node:url';
import express from 'express';
import { createHub } from 'tidings';
import { sse } from 'tidings/express';

const hub = createHub();
const app = express();
app.use(express.json());
app.use('/events', sse(hub));
app.post('/news', async (req, res) => {
  const title = req.body?.title;
  if (typeof title !== 'string') return res.sendStatus(400);
  const { cursor } = await hub.publish('news', { title });
  res.status(201).json({ cursor });
});

// The page, and the client's modules for it.
app.use(express.static(fileURLToPath(new URL('public', import.meta.url))));
app.use('/tidings', express.static(fileURLToPath(new URL('.', import.meta.resolve('tidings')))));

const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`http://localhost:${server.address().port}`);
});
process.once('SIGTERM', async () => {
  await hub.close();
  server.close();
});
