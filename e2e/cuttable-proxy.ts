import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A network between browser and server that fails on command. It passes bytes and doesn't parse HTTP. */
export interface CuttableProxy {
  readonly url: string;
  /** Ends all connections at once, without a goodbye. What is on its way may be lost. */
  cut(): void;
  /** Ends the browsers' connections after everything that was passed on so far: it will reach them. */
  end(): void;
  /** Refuses new connections from now on, or lets them through again. */
  block(blocked: boolean): void;
  /** Passes nothing on from now on, and says nothing, as a network that has gone; or goes on. */
  hold(held: boolean): void;
  /** The bytes that browsers sent, connection by connection. */
  readonly sent: readonly string[];
  /** The bytes that the server sent, connection by connection. */
  readonly received: readonly string[];
}

/** A proxy for the time of this test. */
export async function proxyTo(target: string): Promise<CuttableProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const pairs = new Map<Socket, Socket>();
  const sent: string[] = [];
  const received: string[] = [];
  let blocked = false;
  let held = false;

  const server = createServer((near) => {
    if (blocked) return void near.resetAndDestroy();
    const far = connect(Number(port), hostname);
    const index = sent.push('') - 1;
    received.push('');
    near.on('data', (bytes) => (sent[index] += bytes.toString('latin1')));
    far.on('data', (bytes) => (received[index] += bytes.toString('latin1')));
    pairs.set(near, far);
    near.on('close', () => pairs.delete(near));
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.pipe(other);
      if (held) socket.pause();
      // A reset comes as an error, then as a close.
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  function cut(): void {
    for (const socket of sockets) socket.resetAndDestroy();
  }

  onTestFinished(() => {
    server.close();
    cut();
  });

  return {
    // A server that listens on TCP has an address of this kind.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    end() {
      for (const [near, far] of pairs) {
        far.unpipe(near);
        near.end(() => far.destroy());
      }
    },
    hold(next) {
      held = next;
      for (const socket of sockets) {
        if (held) socket.pause();
        else socket.resume();
      }
    },
    block(next) {
      blocked = next;
    },
    sent,
    received,
  };
}
