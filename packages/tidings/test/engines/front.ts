import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';

/** One address that leads to whichever server is the master, as Sentinel or a virtual address do. */
export interface Front {
  readonly port: number;
  /** Ends all connections. */
  drop(): void;
  /** Lets nothing through for so many milliseconds, while connections stay open. */
  cut(milliseconds: number): Promise<void>;
  close(): void;
}

/** `target`: the port of the master at the time of the call. */
export async function startFront(target: () => number): Promise<Front> {
  const sockets = new Set<net.Socket>();
  let isCut = false;
  const server = net.createServer((socket) => {
    const behind = net.connect(target(), '127.0.0.1');
    for (const [from, to] of [
      [socket, behind],
      [behind, socket],
    ] as const) {
      sockets.add(from);
      if (isCut) from.pause();
      from.on('data', (bytes) => void to.write(bytes));
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  function drop(): void {
    for (const socket of sockets) socket.destroy();
  }

  return {
    port: (server.address() as AddressInfo).port,
    drop,
    async cut(milliseconds) {
      isCut = true;
      for (const socket of sockets) socket.pause();
      await new Promise((resolve) => void setTimeout(resolve, milliseconds));
      isCut = false;
      for (const socket of sockets) socket.resume();
    },
    close() {
      drop();
      server.close();
    },
  };
}
