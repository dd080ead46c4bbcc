import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createHub, type Hub } from 'tidings';
import { gzip } from 'tidings/gzip';
import { sse } from 'tidings/node';
import { expect, onTestFinished } from 'vitest';
import { openEventSource } from './event-source.ts';
import { eventually, test } from './test.ts';

const built = fileURLToPath(new URL('../packages/tidings/dist/', import.meta.url));

/** A hub that compresses, an empty page, and the published form of the library's client. */
async function serveCompressed(encodings: (string | undefined)[]): Promise<{ hub: Hub; url: string }> {
  const hub = createHub({ compression: gzip(), heartbeat: 60_000 });
  const handle = sse(hub, { topics: ['a'] });
  const server = createServer((req, res) => {
    const path = req.url ?? '/';
    if (path === '/events') {
      handle(req, res);
      res.on('close', () => encodings.push(res.getHeader('content-encoding')?.toString()));
    } else if (path.startsWith('/tidings/')) {
      void readFile(built + path.slice('/tidings/'.length)).then((script) =>
        res.setHeader('content-type', 'text/javascript').end(script),
      );
    } else {
      res.setHeader('content-type', 'text/html').end('<!doctype html><title>Compressed</title>');
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.close();
    await hub.close({ within: 0 });
    server.closeAllConnections();
  });
  return { hub, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('a compressed stream is read event by event, by a native EventSource and by the client', async ({
  newVisitor,
}) => {
  const encodings: (string | undefined)[] = [];
  const { hub, url } = await serveCompressed(encodings);
  const page = await (await newVisitor(url)).open('/');
  const native = await openEventSource(page, '/events', []);
  await page.addScriptTag({
    type: 'module',
    content: `import { connect } from '/tidings/client/index.js';
      globalThis.seen = [];
      globalThis.client = connect('/events');
      client.on('message', ({ data }) => seen.push(data));`,
  });
  await eventually(() => hub.stats().live).toBe(2);
  const seen = (): Promise<string[]> => page.evaluate('seen');
  for (const size of [1, 200, 2000, 20_000, 100_000]) {
    const data = 'tide '.repeat(size / 5);
    await hub.publish('a', data, { raw: true });
    // Before anything else is sent: nothing waits in a decompressor.
    await eventually(async () => (await seen()).at(-1)).toBe(data);
    await eventually(async () => (await native.events()).at(-1)?.data).toBe(data);
  }
  // The stream's end is no error, and the next one goes on where it was.
  hub.disconnect(() => true, { retry: 0 });
  await eventually(() => hub.stats().connected).toBeGreaterThanOrEqual(4);
  await hub.publish('a', 'after the end', { raw: true });
  await eventually(async () => (await seen()).at(-1)).toBe('after the end');
  await eventually(async () => (await native.events()).at(-1)?.data).toBe('after the end');
  expect((await native.events()).some(({ data }) => data.includes('"resumed":true'))).toBe(true);
  expect(new Set(encodings)).toEqual(new Set(['gzip']));
});
