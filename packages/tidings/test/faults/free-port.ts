import { createServer } from 'node:net';

/** Below those that systems give away by themselves, and above those that `fetch` and browsers refuse. */
const PORTS = { first: 20_000, count: 12_000 };
const TRIES = 100;

/**
 * For a server that has to come back on the port that it had. One that the system picked could meanwhile belong to any
 * connection, even to a client that tries to reach the server and so reaches itself.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    if (await isFree(port)) return port;
  }
  throw new Error(`None of ${TRIES} ports is free.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .on('error', () => resolve(false))
      // At all addresses: some of those who ask listen there.
      .listen(port, () => server.close(() => resolve(true)));
  });
}
