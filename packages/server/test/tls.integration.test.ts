import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { INSECURE, ask, askHttp2 } from '../../tidings/test/http/client.ts';
import { turn, until, within } from '../../tidings/test/http/deadline.ts';
import { certify } from '../../tidings/test/http/server.ts';
import { watchCertificate } from '../src/server/certificate.ts';
import { createListener } from '../src/server/listener.ts';
import { type InProcess, publisherToken, settingsOf, startInProcess } from './in-process.ts';
import { makeFolder, removeFolder } from './server-process.ts';

const folder = makeFolder();
afterAll(() => removeFolder(folder));

const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
const TLS = { 'tls.cert-file': files.cert, 'tls.key-file': files.key };

function write({ cert, key }: { cert: string; key: string }): void {
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key);
}

async function start(values: Record<string, unknown>): Promise<InProcess> {
  const server = await startInProcess(values);
  onTestFinished(() => server.close());
  return server;
}

/** The name in the certificate that a new connection gets. */
async function nameOf({ publicUrl }: InProcess): Promise<string | undefined> {
  const socket = tls.connect({ port: Number(new URL(publicUrl).port), host: '127.0.0.1', ...INSECURE });
  await within('TLS', once(socket, 'secureConnect'));
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN?.toString();
}

async function publish(
  data: string,
  token: string,
  send: typeof ask,
  { publicUrl }: InProcess,
): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  const json = { topics: 'news', data };
  const { status } = await send(`${publicUrl}/v1/publish`, { method: 'POST', headers, json });
  return status;
}

describe('With a certificate', () => {
  test('streams and publishing go over HTTP/2 and HTTP/1.1, and a closing server lets go of all connections', async () => {
    write(await certify('first'));
    const server = await startInProcess(TLS);
    expect(server.publicUrl).toMatch(/^https:/);
    const token = await publisherToken();
    const url = `${server.publicUrl}/v1/events?topic=news`;
    const streams = [await ask(url), await askHttp2(url)] as const;
    expect(await publish('a', token, ask, server)).toBe(200);
    expect(await publish('b', token, askHttp2, server)).toBe(200);
    for (const { frames } of streams) {
      const events = [await frames.nextEvent(), await frames.nextEvent(), await frames.nextEvent()];
      expect(events.map(({ data }) => data).slice(1)).toEqual(['"a"', '"b"']);
    }
    // A session that only publishes, and stays.
    const idle = http2.connect(server.publicUrl, INSECURE);
    const pooled = http2.connect(server.publicUrl, INSECURE).on('error', () => {});
    const request = idle.request({ ':path': '/v1/cursor', authorization: `Bearer ${token}` });
    await within('cursor', once(request.resume(), 'end'));
    await within('a closed server', server.close());
    idle.destroy();
    pooled.destroy();
  });

  test('a renewed one is taken by a reload, for new connections, and open streams stay', async () => {
    write(await certify('first'));
    const server = await start(TLS);
    const { frames } = await ask(`${server.publicUrl}/v1/events?topic=news`);
    expect(await nameOf(server)).toBe('first');
    write(await certify('second'));
    await server.reload(settingsOf(TLS));
    expect(await nameOf(server)).toBe('second');
    await publish('still here', await publisherToken(), askHttp2, server);
    const events = [await frames.nextEvent(), await frames.nextEvent()];
    expect(events.at(-1)?.data).toBe('"still here"');
  });

  test.each<[string, () => Promise<void> | void, string]>([
    [
      'whose key is another’s',
      async () => writeFileSync(files.key, (await certify('other')).key),
      'config/invalid',
    ],
    ['that is none', () => writeFileSync(files.cert, 'no certificate'), 'config/invalid'],
    ['that is gone', () => rmSync(files.cert), 'config/unreadable'],
  ])('one %s is refused, and nothing of the reload counts', async (_, spoil, code) => {
    write(await certify('good'));
    const server = await start(TLS);
    await spoil();
    const other = settingsOf({ ...TLS, 'auth.jwt.secret': 'x'.repeat(32) });
    await expect(server.reload(other)).rejects.toMatchObject({ code });
    expect(await nameOf(server)).toBe('good');
    expect(await publish('a', await publisherToken(), ask, server)).toBe(200);
  });

  test('without its key, or with neither file, the server says so at the start', async () => {
    await expect(startInProcess({ 'tls.cert-file': files.cert })).rejects.toThrow(/tls\.key-file/);
    rmSync(files.key, { force: true });
    await expect(startInProcess(TLS)).rejects.toMatchObject({ code: 'config/unreadable' });
  });
});

test('A certificate is read again when its files change; broken ones are reported once', async () => {
  const [first, second] = [await certify('first'), await certify('second')];
  let content = first;
  const changes: string[] = [];
  const failures: unknown[] = [];
  const watched = await watchCertificate(settingsOf(TLS), {
    every: 2,
    read: (path) => Promise.resolve(path === files.cert ? content.cert : content.key),
    onChange: ({ cert }) => changes.push(cert),
    onFailure: (error) => failures.push(error),
  });
  onTestFinished(() => watched?.close());
  let looks = 0;
  content = {
    get cert() {
      looks += 1;
      return second.cert;
    },
    key: first.key,
  };
  await until('several looks at half of it', () => looks > 5);
  expect([changes, failures.length]).toEqual([[], 1]);
  expect(watched?.current.cert).toBe(first.cert);
  content = second;
  await until('taken', () => changes.length > 0);
  expect(changes).toEqual([second.cert]);
  expect(watched?.current.cert).toBe(second.cert);
});

describe('With h2c', () => {
  test('one port speaks HTTP/2 and HTTP/1.1', async () => {
    const server = await start({ 'listen.h2c': true });
    const token = await publisherToken();
    const url = `${server.publicUrl}/v1/events?topic=news`;
    const streams = [await ask(url), await askHttp2(url)] as const;
    expect(await publish('a', token, askHttp2, server)).toBe(200);
    expect(await publish('b', token, ask, server)).toBe(200);
    for (const { frames } of streams) {
      const events = [await frames.nextEvent(), await frames.nextEvent(), await frames.nextEvent()];
      expect(events.map(({ data }) => data).slice(1)).toEqual(['"a"', '"b"']);
    }
  });

  test('it tells them apart however the first bytes arrive, and keeps a connection for the next request', async () => {
    const server = await start({ 'listen.h2c': true });
    const port = Number(new URL(server.publicUrl).port);
    const socket = net.connect(port, '127.0.0.1').setNoDelay(true);
    onTestFinished(() => void socket.destroy());
    let text = '';
    socket.on('data', (bytes) => (text += String(bytes)));
    for (const character of 'PUT /nothing HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n') {
      socket.write(character);
      await turn();
    }
    await until('first answer', () => text.includes('404 Not Found'));
    text = '';
    socket.write('GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n');
    await until('second answer', () => text.includes('404 Not Found'));

    const parts = net.connect(port, '127.0.0.1').setNoDelay(true);
    onTestFinished(() => void parts.destroy());
    const received: Buffer[] = [];
    parts.on('data', (bytes: Buffer) => received.push(bytes));
    // The preface and an empty SETTINGS frame, in pieces.
    for (const piece of ['PRI * HT', 'TP/2.0\r\n', '\r\nSM\r\n\r\n', '\0\0\0\x04\0\0\0\0\0']) {
      parts.write(Buffer.from(piece, 'latin1'));
      await turn();
    }
    // A SETTINGS frame answers.
    await until('settings', () => Buffer.concat(received)[3] === 4);
  });

  test('peers that say nothing, or garbage, or leave, harm nobody', async () => {
    const server = await start({ 'listen.h2c': true });
    const port = Number(new URL(server.publicUrl).port);
    const silent = Array.from({ length: 20 }, () => net.connect(port, '127.0.0.1').on('error', () => {}));
    onTestFinished(() => silent.forEach((socket) => socket.destroy()));
    const garbage = net.connect(port, '127.0.0.1').on('error', () => {});
    garbage.end('PRI * HTTP/3.0\r\n\r\n');
    await within('an end', once(garbage.resume(), 'close'));
    const left = net.connect(port, '127.0.0.1').on('error', () => {});
    left.end('PRI');
    await within('an end', once(left.resume(), 'close'));
    expect(await publish('a', await publisherToken(), ask, server)).toBe(200);
  });
});

test('A request over HTTP/2 that takes too long to arrive is ended, and a peer that says nothing, too', async () => {
  const settings = settingsOf({ 'listen.h2c': true });
  const listener = await createListener(settings, { info() {}, error() {} }, 4000);
  const server = listener.serverFactory((_, response) => void response.writeHead(200).write('a stream'));
  onTestFinished(() => void server.close());
  await within('a port', once(server.listen(0, '127.0.0.1'), 'listening'));
  const { port } = server.address() as net.AddressInfo;
  const session = http2.connect(`http://127.0.0.1:${port}`).on('error', () => {});
  onTestFinished(() => session.destroy());
  const slow = session.request({ ':method': 'POST' }).on('error', () => {});
  const stream = session.request();
  const quick = session.request({ ':method': 'POST' });
  quick.end('all of it');
  await within('its end', new Promise<void>((resolve) => slow.on('close', resolve)));
  const silent = net.connect(port, '127.0.0.1');
  await within('its end', once(silent.resume(), 'close'));
  expect([stream.closed, quick.closed]).toEqual([false, false]);
});

test('Without h2c, a peer that speaks HTTP/2 is refused, and HTTP/1.1 works', async () => {
  const server = await start({});
  const session = http2.connect(server.publicUrl).on('error', () => {});
  await within('an end', new Promise<void>((resolve) => session.on('close', resolve)));
  const agent = new http.Agent();
  const request = http.get(`${server.publicUrl}/nothing`, { agent });
  const [response] = (await within('answer', once(request, 'response'))) as [http.IncomingMessage];
  expect(response.statusCode).toBe(404);
  response.resume();
});
