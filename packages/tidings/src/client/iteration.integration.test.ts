import { expect, it } from 'vitest';
import { serveExchanges, welcome } from '../../test/client/exchanges.ts';
import { observe } from '../../test/client/observed.ts';
import { turn, until } from '../../test/http/deadline.ts';

it('yields events of every type but the reserved ones, in order, across a drop', async () => {
  const server = await serveExchanges();
  const { client, clock, hasStatus } = observe(server.url);
  const seen: string[] = [];
  const iterating = (async () => {
    for await (const { type, data } of client) {
      seen.push(`${type} ${data}`);
      if (seen.length === 3) break;
    }
  })();
  const first = await server.next();
  first.stream(`${welcome()}id: a.1\ndata: 1\n\nid: a.2\nevent: price\ndata: 2\n\n`);
  await until('two events', () => seen.length === 2);
  first.cut();
  await hasStatus('waiting');
  clock.advance(1_000);
  (await server.next()).stream(`${welcome()}id: a.3\ndata: 3\n\nid: a.4\ndata: 4\n\n`);
  await iterating;
  expect(seen).toEqual(['message 1', 'price 2', 'message 3']);
});

it('moves the cursor only past events that the consumer has taken', async () => {
  const server = await serveExchanges();
  const { client, messages, hasMessages } = observe(server.url);
  const iterator = client[Symbol.asyncIterator]();
  const first = iterator.next();
  (await server.next()).stream('id: 1\ndata: 1\n\nid: 2\ndata: 2\n\nid: 3\ndata: 3\n\n');
  await first;
  await hasMessages(2);
  await turn();
  expect([client.cursor, ...messages]).toEqual(['1', '1', '2']);
  await iterator.next();
  await hasMessages(3);
  expect(client.cursor).toBe('2');
  client.close();
  await turn();
  expect(client.cursor).toBe('2');
});

it('stops reading while the consumer is behind, which the server notices', async () => {
  const server = await serveExchanges();
  const { client } = observe(server.url);
  const iterator = client[Symbol.asyncIterator]();
  const first = iterator.next();
  const { response, stream } = await server.next();
  stream();
  const event = `data: ${'x'.repeat(65_536)}\n\n`;
  let sent = 0;
  // Far more than the buffers of two sockets and a stream hold.
  const send = (): void => {
    while (sent < 1_000) {
      sent += 1;
      if (!response.write(event)) return void response.once('drain', send);
    }
  };
  send();
  await first;
  for (let before = -1; before !== sent; await new Promise((resolve) => setTimeout(resolve, 50)))
    before = sent;
  expect(sent).toBeLessThan(500);
  for (let count = 1; count < 1_000; count += 1) await iterator.next();
  expect(sent).toBe(1_000);
});

it('leaves events before and after it to the listeners', async () => {
  const server = await serveExchanges();
  const { client, messages, hasMessages } = observe(server.url);
  const exchange = await server.next();
  exchange.stream('data: 1\n\n');
  await hasMessages(1);
  const iterator = client.events();
  const next = iterator.next();
  exchange.send('data: 2\n\ndata: 3\n\n');
  expect((await next).value?.data).toBe('2');
  await iterator.return?.();
  exchange.send('data: 4\n\n');
  await hasMessages(4);
  expect(messages).toEqual(['1', '2', '3', '4']);
});
