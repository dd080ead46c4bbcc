/** A server of socket.io, of several that share the Redis streams adapter, set up as its documentation shows. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from '@redis/client';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Server } from 'socket.io';
import { answerCommands } from '../../harness/commands.ts';
import { type PublishLoad, TOPIC, publishLoad, publishStamped } from './load-publisher.ts';

/** As many as a log of Tidings keeps by default. */
const MAX_LENGTH = 100_000;

let io: Server;
/** The commands that bring emitted events to Redis: `emit` doesn't say when it has them. */
let sent: Promise<unknown>[] = [];

async function listen({ url }: { readonly url: string }): Promise<number> {
  const client = createClient({ url });
  await client.connect();
  const add = client.xAdd.bind(client) as (...args: readonly unknown[]) => Promise<unknown>;
  Object.defineProperty(client, 'xAdd', {
    value(...args: readonly unknown[]): Promise<unknown> {
      const added = add(...args);
      sent.push(added);
      return added;
    },
  });
  const server = createServer();
  io = new Server(server, { adapter: createAdapter(client, { maxLen: MAX_LENGTH }) });
  io.on('connection', (socket) => void socket.join(TOPIC));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function emit(events: readonly string[]): Promise<void> {
  sent = [];
  for (const data of events) io.to(TOPIC).emit('event', data);
  await Promise.all(sent);
}

answerCommands({
  listen,
  publish: (load: PublishLoad) => publishLoad(load, emit),
  publishOne: () => publishStamped((data) => emit([data])),
  close: () => io.close(),
});
