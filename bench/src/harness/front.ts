import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';

/** One address that leads to whichever server is the master, as a virtual address does. */
export interface Front {
  readonly port: number;
  close(): void;
}

/** `target`: the port of the master at the time of the call. */
export async function startFront(target: () => number): Promise<Front> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    const behind = net.connect({ port: target(), host: '127.0.0.1', noDelay: true });
    for (const [from, to] of [
      [socket, behind],
      [behind, socket],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
