import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** For a server that has to come back on the port that it had. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
