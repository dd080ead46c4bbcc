import { createServer } from 'node:http';
import { createHub } from 'tidings';
import { sse } from 'tidings/node';

const hub = createHub();
const events = sse(hub);
const server = createServer(async (req, res) => {
  const path = req.url.split('?')[0];
  if (path === '/events') return events(req, res);
  if (path !== '/news' || req.method !== 'POST') return res.writeHead(404).end();
  try {
    let body = '';
    for await (const text of req.setEncoding('utf8')) {
      if (body.length <= 10_000) body += text; // reads all, but keeps no more
    }
    if (body.length > 10_000) return res.writeHead(413).end();
    const { title } = JSON.parse(body);
    if (typeof title !== 'string') return res.writeHead(400).end();
    const { cursor } = await hub.publish('news', { title });
    res.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ cursor }));
  } catch (error) {
    res.writeHead(error.status ?? 400).end();
  }
});

server.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`http://localhost:${server.address().port}`);
});
process.once('SIGTERM', async () => {
  await hub.close();
  server.close();
});
