import http2 from 'node:http2';
import { expect, test } from 'vitest';
import { INSECURE, askHttp2 } from '../../test/http/client.ts';
import { until, within } from '../../test/http/deadline.ts';
import { Frames } from '../../test/http/frames.ts';
import { startHub } from '../../test/http/hub.ts';
import { certificate, listen } from '../../test/http/server.ts';
import { sse } from './index.ts';

async function startSession(hub: ReturnType<typeof startHub>): Promise<{
  session: http2.ClientHttp2Session;
  url: string;
  server: Awaited<ReturnType<typeof listen>>['server'];
}> {
  const events = sse(hub);
  const server = http2.createSecureServer(await certificate(), (req, res) => events(req, res));
  const { url } = await listen(server, 'https');
  return { session: http2.connect(url, INSECURE), url, server };
}

/** The status of a request in this session, once its head has arrived. */
async function open(
  session: http2.ClientHttp2Session,
): Promise<{ status: number; stream: http2.ClientHttp2Stream }> {
  const stream = session.request({ ':path': '/?topic=a' });
  const status = await within(
    'response',
    new Promise<number>((resolve, reject) => {
      stream.on('response', (headers) => resolve(headers[':status'] ?? 0)).on('error', reject);
    }),
  );
  return { status, stream };
}

test('An HTTP/2 session carries as many streams as the limit allows, and other sessions are unaffected', async () => {
  const hub = startHub({ limits: { connectionsPerSession: 2 } });
  const { session, url } = await startSession(hub);
  const [first, second] = [await open(session), await open(session)];
  const third = await open(session);
  expect([first.status, second.status, third.status]).toEqual([200, 200, 429]);
  expect((await askHttp2(`${url}/?topic=a`)).status).toBe(200);
  first.stream.close();
  await until('two connections', () => hub.connections().length === 2);
  expect((await open(session)).status).toBe(200);
  session.destroy();
});

test('An HTTP/2 session closes with the hub, and then the server can close', async () => {
  const hub = startHub();
  const { session, server } = await startSession(hub);
  const frames = new Frames();
  const { stream } = await open(session);
  stream.on('data', (bytes: Buffer) => frames.feed(bytes)).on('end', () => frames.finish());
  await frames.nextEvent();
  const ended = new Promise((resolve) => session.on('close', resolve));
  const closed = new Promise((resolve) => server.close(resolve));
  await hub.close();
  await frames.end();
  expect(frames.all.at(-1)?.type).toBe('tidings:goodbye');
  await within('end of the session', ended);
  await within('end of the server', closed);
});
