import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import express from 'express';
import type { ErrorRequestHandler, Response as Answer } from 'express';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../testing/server.ts';
import { until } from '../testing/until.ts';
import { pages } from './pages.ts';
import { source } from './source.ts';

test('a browser that leaves while a page loads causes no error', async () => {
  const { folder, remove } = await temporaryFolder();
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>Home</title>');
  const errors: unknown[] = [];
  const collect: ErrorRequestHandler = (error, _request, _response, next) => {
    errors.push(error);
    next(error);
  };
  let sent = false;
  const app = express()
    .use(async (_request, response, next) => {
      // The client is gone from here on.
      await once(response, 'close');
      const callback = whenSent(response);
      next();
      await callback;
      sent = true;
    })
    .use(pages(folder), collect);
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const requested = once(server, 'request');
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await requested;
  socket.destroy();
  await until(() => sent);
  expect(errors).toEqual([]);
  server.close();
  await remove();
});

/** Resolves after the callback of the response's `sendFile`. */
function whenSent(response: Answer): Promise<void> {
  const sendFile = response.sendFile.bind(response) as (...parts: [string, object, Callback]) => void;
  return new Promise((resolve) => {
    response.sendFile = ((path: string, options: object, callback: Callback) =>
      sendFile(path, options, (error) => {
        callback(error);
        resolve();
      })) as Answer['sendFile'];
  });
}

type Callback = (error?: Error) => void;

test('pages and assets are sent in the compressed form that a client accepts', async () => {
  const { folder, remove } = await temporaryFolder();
  const html = `<!doctype html><title>Home</title>${'<p>Long enough</p>'.repeat(100)}`;
  await mkdir(join(folder, 'assets'));
  for (const file of ['index.html', 'assets/main-1.js']) {
    await writeFile(join(folder, file), html);
    await writeFile(join(folder, `${file}.br`), brotliCompressSync(html));
    await writeFile(join(folder, `${file}.gz`), gzipSync(html));
  }
  await writeFile(join(folder, 'plain.svg'), '<svg/>');
  const server = createServer(express().use(pages(folder))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ask = async (path: string, encoding: string): Promise<unknown[]> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      headers: { 'Accept-Encoding': encoding, Connection: 'close' },
    });
    const { headers } = response;
    const text = await response.text();
    return [
      text === html,
      ...['Content-Encoding', 'Vary', 'Content-Type', 'Cache-Control'].map((name) => headers.get(name)),
    ];
  };
  const [page, script] = ['text/html; charset=utf-8', 'text/javascript; charset=utf-8'];
  const [fresh, forever] = ['private, no-cache', 'public, max-age=31536000, immutable'];
  expect(await ask('/', 'gzip, br')).toEqual([true, 'br', 'Accept-Encoding', page, fresh]);
  expect(await ask('/', 'gzip')).toEqual([true, 'gzip', 'Accept-Encoding', page, fresh]);
  expect(await ask('/', 'identity')).toEqual([true, null, 'Accept-Encoding', page, fresh]);
  expect(await ask('/assets/main-1.js', 'gzip')).toEqual([true, 'gzip', 'Accept-Encoding', script, forever]);
  expect(await ask('/assets/main-1.js?v', 'br;q=0')).toEqual([
    true,
    null,
    'Accept-Encoding',
    script,
    forever,
  ]);
  expect((await ask('/plain.svg', 'gzip')).slice(1, 3)).toEqual([null, null]);
  for (const path of ['//[', '/%', '/assets//[']) expect((await ask(path, 'gzip'))[0]).toBe(false);
  server.close();
  await remove();
});

test('visitors can read the app’s own code and the documentation as text, and nothing else of the repository', async () => {
  const server = createServer(express().use(source())).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ask = (path: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/source/${path}`, { headers: { Connection: 'close' } });
  const home = await readFile(new URL('../../pages/index.html', import.meta.url), 'utf8');
  const links = [...home.matchAll(/href="\/source\/([^"]+)"/g)].map(([, path = '']) => path);
  expect(links.length).toBeGreaterThan(5);
  for (const path of links) {
    const answer = await ask(path);
    expect([path, answer.status, answer.headers.get('Content-Type')]).toEqual([
      path,
      200,
      'text/plain; charset=utf-8',
    ]);
  }
  for (const path of [
    'app',
    'package.json',
    'app/%2e%2e/package.json',
    'app/..%2fdata/session-secret',
    'app/.env',
  ]) {
    expect([path, (await ask(path)).status]).toEqual([path, 404]);
  }
  server.close();
});
