import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** Another site, for the time of this test: each of its pages is this HTML. `localhost` is no host of the app's. */
export async function otherSite(html: string): Promise<string> {
  const server = createServer((_request, response) => {
    response
      .setHeader('Content-Type', 'text/html; charset=utf-8')
      .end(`<!doctype html><title>Shop</title>${html}`);
  });
  server.listen(0, 'localhost');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  // A server that listens on TCP has an address of this kind.
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}
