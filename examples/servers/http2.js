import { createSecureServer } from 'node:http2';
import { generate } from 'selfsigned';
import { createHub } from 'tidings';
import { sse } from 'tidings/node';

const hub = createHub();
const events = sse(hub);
const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }]); // yours comes from a file
const server = createSecureServer({ key, cert, allowHTTP1: true }, async (req, res) => {
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

const sessions = new Set();
server.on('session', (session) => {
  sessions.add(session);
  session.on('close', () => sessions.delete(session));
});
server.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`https://localhost:${server.address().port}`);
});
process.once('SIGTERM', async () => {
  await hub.close();
  server.close();
  for (const session of sessions) session.close(); // once its requests are answered
});
