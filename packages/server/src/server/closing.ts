import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/**
 * Prepares the end of a server. Node waits for every connection, and once the server is being closed, it no longer limits
 * how long a request may take to arrive: one silent peer could keep the process for good.
 *
 * @returns a function that closes the server. Requests under way have `within` milliseconds to come to their end.
 */
export function closerOf(app: FastifyInstance): (within: number) => Promise<void> {
  const sockets = new Set<Socket>();
  function forget(this: Socket): void {
    sockets.delete(this);
  }
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', forget);
  });
  return async (within) => {
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, within);
    const closed = app.close();
    // Browsers connect in advance; such a connection has asked for nothing yet.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
    try {
      await closed;
    } finally {
      clearTimeout(timer);
    }
  };
}
