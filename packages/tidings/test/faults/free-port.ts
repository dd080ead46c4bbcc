import { createServer } from 'node:net';

/**
 * For a server that has to come back on the port that it had. Of the range from which no system gives ports away by itself: one
 * of those could meanwhile belong to any connection, even to a client that tries to reach the server and so reaches itself.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = 10_000 + Math.floor(Math.random() * 6000);
    if (await isFree(port)) return port;
  }
  throw new Error('Of a hundred ports none was free.');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .on('error', () => resolve(false))
      // At all addresses: some of those who ask listen there.
      .listen(port, () => server.close(() => resolve(true)));
  });
}
