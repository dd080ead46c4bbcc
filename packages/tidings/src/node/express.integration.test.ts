import compression from 'compression';
import express from 'express';
import session from 'express-session';
import { describe, expect, test } from 'vitest';
import { ask } from '../../test/http/client.ts';
import { until } from '../../test/http/deadline.ts';
import { expectProblem, startHub } from '../../test/http/hub.ts';
import { RawClient } from '../../test/http/raw-client.ts';
import { serve } from '../../test/http/server.ts';
import { unauthorized } from '../index.ts';
import { sse } from './express.ts';

describe('In an Express app', () => {
  test('a route gives its parameters to `topics`, behind any mount point', async () => {
    const hub = startHub();
    const rooms = express.Router();
    rooms.get('/:room/events', sse(hub, { topics: ({ params }) => [`room/${String(params['room'])}`] }));
    const { url } = await serve(express().use('/rooms', rooms));
    await ask(`${url}/rooms/7/events?topic=ignored`);
    expect(hub.connections()[0]?.topics).toEqual(['room/7']);
  });

  test('the query is that of the request, behind any mount point', async () => {
    const hub = startHub();
    const { url } = await serve(express().use('/a', express.Router().use('/b', sse(hub))));
    await ask(`${url}/a/b?topic=x&topic=y`);
    expect(hub.connections()[0]?.topics).toEqual(['x', 'y']);
  });

  test('the address is the one that `trust proxy` determines', async () => {
    const hub = startHub({ limits: { connectionsPerAddress: 1 } });
    const app = express()
      .set('trust proxy', 1)
      .use(sse(hub, { topics: ['a'] }));
    const { url } = await serve(app);
    const from = (address: string) => ask(url, { headers: { 'x-forwarded-for': address } });
    expect((await from('192.0.2.1')).status).toBe(200);
    expect((await from('192.0.2.2')).status).toBe(200);
    await expectProblem(await from('192.0.2.2'), 429, 'limit/connections');
    expect(hub.connections().map(({ remote }) => remote)).toEqual(['192.0.2.1', '192.0.2.2']);
  });

  test('without `trust proxy` clients can’t choose their address', async () => {
    const hub = startHub();
    const { url } = await serve(express().use(sse(hub, { topics: ['a'] })));
    await ask(url, { headers: { 'x-forwarded-for': '192.0.2.1' } });
    expect(hub.connections()[0]?.remote).toBe('127.0.0.1');
  });

  test.each(['topics', 'authorize', 'onConnect', 'greeting'] as const)(
    'errors of `%s` go to the error handler, except refusals',
    async (hook) => {
      const hub = startHub();
      const failure = new Error('database gone');
      const failing = (): never => {
        throw failure;
      };
      const refusing = (): never => {
        throw unauthorized();
      };
      const handled: unknown[] = [];
      const app = express();
      app.get('/failing', sse(hub, { topics: ['a'], [hook]: failing }));
      app.get('/refusing', sse(hub, { topics: ['a'], [hook]: refusing }));
      app.use((error: unknown, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
        handled.push(error);
        res.status(502).json({ from: 'the app' });
      });
      const { url } = await serve(app);
      const failed = await ask(`${url}/failing`);
      expect([failed.status, await failed.json()]).toEqual([502, { from: 'the app' }]);
      await expectProblem(await ask(`${url}/refusing`), 401, 'auth/unauthorized');
      expect(handled).toEqual([failure]);
      expect(hub.connections()).toEqual([]);
    },
  );
});

describe('Behind compression', () => {
  const encodings = { 'accept-encoding': 'gzip, deflate, br, zstd' };

  test('events arrive uncompressed and at once, while other answers are compressed', async () => {
    const hub = startHub();
    const app = express().use(compression({ threshold: 0 }));
    app.get('/json', (_req, res) => res.json({ text: 'x'.repeat(10_000) }));
    app.get('/events', sse(hub));
    const { url } = await serve(app);
    const json = await ask(`${url}/json`, { headers: encodings });
    expect(json.headers['content-encoding']).toBe('br');
    const { headers, frames } = await ask(`${url}/events?topic=a`, { headers: encodings });
    expect(headers['content-encoding']).toBeUndefined();
    await frames.nextEvent();
    for (let n = 0; n < 5; n += 1) {
      await hub.publish('a', n);
      // The next one is published only once this one has arrived.
      expect((await frames.nextEvent()).data).toBe(String(n));
    }
  });

  test('a peer that stops reading and reads on gets everything, as it would without compression', async () => {
    const hub = startHub();
    const { url } = await serve(
      express()
        .use(compression({ threshold: 0 }))
        .use(sse(hub)),
    );
    const slow = await ask(`${url}/?topic=a`, { headers: encodings, idle: true });
    await until('live', () => hub.stats().live === 1);
    for (let n = 0; n < 400; n += 1) {
      await hub.publish('a', `${n} ${'x'.repeat(50_000)}`, { raw: true });
      if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await until('behind', () => hub.stats().behind === 1);
    slow.read();
    await slow.frames.until('all events', () => slow.frames.events.length === 400);
    expect(slow.frames.events.map(({ data }) => Number.parseInt(data ?? '', 10))).toEqual(
      Array.from({ length: 400 }, (_, n) => n),
    );
  });
});

test('The end of a stream does not store the session of a user who has signed out meanwhile, whatever `resave` is', async () => {
  const hub = startHub();
  const store = new session.MemoryStore();
  const app = express().use(session({ secret: 's', resave: true, saveUninitialized: true, store }));
  app.use('/events', sse(hub, { topics: ['a'], authorize: () => ({ subject: 'ann' }) }));
  app.post('/sign-out', (req, res) => {
    req.session.destroy(() => {
      hub.disconnect(({ subject }) => subject === 'ann');
      res.end();
    });
  });
  const { url } = await serve(app);
  const signedIn = await ask(`${url}/`);
  const cookie = String(signedIn.headers['set-cookie']).split(';', 1)[0] ?? '';
  await signedIn.frames.end();
  const stored = (): string[] => Object.keys((store as unknown as { sessions: object }).sessions);
  expect(stored()).toHaveLength(1);
  const stream = await ask(`${url}/events`, { headers: { cookie } });
  await stream.frames.nextEvent();
  await (await ask(`${url}/sign-out`, { method: 'POST', headers: { cookie } })).frames.end();
  await stream.frames.end();
  expect(stream.frames.all.at(-1)?.type).toBe('tidings:goodbye');
  await until('no connections', () => hub.connections().length === 0);
  expect(stored()).toEqual([]);
});

test.each([
  ['sessions', session({ secret: 's', resave: false, saveUninitialized: true })],
  ['compression', compression({ threshold: 0 })],
])('A request refused before its body has come is answered behind %s, too', async (_name, middleware) => {
  const { port } = await serve(express().use(middleware).use(sse(startHub())));
  const peer = await RawClient.connect(port);
  const head = 'Host: x\r\nAccept-Encoding: gzip\r\nContent-Type: text/plain\r\nContent-Length: 1000';
  peer.read().send(`POST / HTTP/1.1\r\n${head}\r\n\r\n${'x'.repeat(999)}`);
  await until('refusal', () => peer.text.includes('HTTP/1.1 415'));
  peer.send('x').get('/');
  await until('next answer', () => peer.text.includes('topic/missing'));
});
