// A load balancer in forty lines: it passes bytes, each connection to the next node that takes it.
import { connect, createServer } from 'node:net';

/**
 * @typedef {object} Proxy
 * @property {string} url
 * @property {() => Promise<void>} close
 */

/**
 * @param {number} port 0: a free one
 * @param {() => readonly number[]} targets the ports of the nodes that are up
 * @returns {Promise<Proxy>}
 */
export async function startProxy(port, targets) {
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();
  let turn = 0;

  const server = createServer({ allowHalfOpen: true }, (near) => {
    near.on('error', () => near.destroy());
    turn += 1;
    const ports = targets();
    const order = ports.map((_, index) => ports[(turn + index) % ports.length]);
    forward(near, order);
  });

  /** @param {import('node:net').Socket} near @param {readonly (number | undefined)[]} order the nodes to try */
  function forward(near, [next, ...others]) {
    if (next === undefined) return void near.destroy();
    const far = connect({ port: next, host: '127.0.0.1', allowHalfOpen: true });
    far.once('error', () => {
      // Nothing was sent yet: another node can take it. A connection that breaks later is the browser's to replace.
      if (far.connecting || far.bytesRead + far.bytesWritten === 0) forward(near, others);
      else near.destroy();
    });
    far.once('connect', () => {
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
      }
      near.pipe(far).pipe(near);
      far.once('close', () => near.destroy());
      near.once('close', () => far.destroy());
    });
  }

  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1' }, () => resolve(undefined));
  });
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://localhost:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
