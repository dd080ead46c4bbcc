import { createServer } from 'node:net';

/** Below the ports that the system picks for others, who could have it before the server is back. */
const PORTS = { first: 20_000, count: 12_000 };
const TRIES = 100;

/** For a server that has to come back on the port that it had. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    if (await isFree(port)) return port;
  }
  throw new Error(`None of ${TRIES} ports is free.`);
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
