import { connect, createServer, type Socket } from 'node:net';
import { listen } from '../http/server.ts';

type Method = 'GET' | 'POST';

/** A network between client and server that delays or breaks answers to one method on command. */
export interface SlowNetwork {
  readonly url: string;
  /** Requests that came through, by their methods. */
  readonly requests: readonly Method[];
  /** From now on nothing of the answers gets through. */
  hold(method: Method): void;
  release(method: Method): void;
  /** Breaks the connections whose last request was such a one, and drops delayed answers. */
  cut(method: Method): void;
}

export async function slowNetworkTo(port: number): Promise<SlowNetwork> {
  const lines = new Set<{ near: Socket; far: Socket; method: Method | undefined; held: Buffer[] }>();
  const holding = new Set<Method>();
  const requests: Method[] = [];
  const network = createServer((near) => {
    const line = {
      near,
      far: connect(port, '127.0.0.1'),
      method: undefined as Method | undefined,
      held: [] as Buffer[],
    };
    lines.add(line);
    near.on('data', (bytes) => {
      const [method = ''] = bytes.toString('latin1', 0, 5).split(' ');
      if (method === 'GET' || method === 'POST') requests.push((line.method = method));
      line.far.write(bytes);
    });
    line.far.on('data', (bytes) => {
      if (line.method !== undefined && holding.has(line.method)) line.held.push(bytes);
      else near.write(bytes);
    });
    for (const [socket, other] of [
      [near, line.far],
      [line.far, near],
    ] as const) {
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        lines.delete(line);
        other.destroy();
      });
    }
  });
  const { url } = await listen(network);
  const linesOf = (method: Method) => [...lines].filter((line) => line.method === method);
  return {
    url,
    requests,
    hold: (method) => void holding.add(method),
    release(method) {
      holding.delete(method);
      for (const { near, held } of linesOf(method)) for (const bytes of held.splice(0)) near.write(bytes);
    },
    cut(method) {
      holding.delete(method);
      for (const { near } of linesOf(method)) near.resetAndDestroy();
    },
  };
}
