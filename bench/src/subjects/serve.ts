import type { RequestListener } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Handlers, answerCommands, collectGarbage } from '../harness/commands.ts';
import { createPublisher } from '../harness/publisher.ts';

export interface Served {
  readonly listener: RequestListener;
  readonly connections: () => number;
  readonly send: (data: string, number: number) => unknown;
  /** Commands of this subject alone. */
  readonly handlers?: Handlers;
}

/** What the subjects in Node have in common: `node:http`, and the commands of the harness. */
export function serve({ listener, connections, send, handlers = {} }: Served): void {
  const server = createServer(listener);
  const listening = new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  answerCommands({
    listen: async () => {
      await listening;
      return { port: (server.address() as AddressInfo).port };
    },
    connections,
    publish: createPublisher(send),
    collectGarbage,
    ...handlers,
  });
}
