import http from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import { generate } from 'selfsigned';
import { onTestFinished } from 'vitest';
import { within } from './deadline.ts';

export interface Running {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  /** The server's side of the connections there are. */
  readonly sockets: ReadonlySet<Socket>;
}

/** Listens on a free port of the loopback until the test has finished. */
export async function listen(server: Server, scheme: 'http' | 'https' = 'http'): Promise<Running> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await within('listening server', new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await within('end of the server', closed);
  });
  const { port } = server.address() as AddressInfo;
  return { url: `${scheme}://127.0.0.1:${port}`, port, server, sockets };
}

export function serve(handler: http.RequestListener): Promise<Running> {
  return listen(http.createServer(handler));
}

let made: Promise<{ readonly key: string; readonly cert: string }> | undefined;

/** Made once for each test file. */
export function certificate(): Promise<{ readonly key: string; readonly cert: string }> {
  made ??= certify('localhost');
  return made;
}

export async function certify(name: string): Promise<{ readonly key: string; readonly cert: string }> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: name }], { keyType: 'ec' });
  return { key, cert };
}
