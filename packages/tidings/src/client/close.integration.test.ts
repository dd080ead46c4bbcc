import { describe, expect, it } from 'vitest';
import { type Exchange, type Exchanges, serveExchanges, welcome } from '../../test/client/exchanges.ts';
import { type Observed, observe } from '../../test/client/observed.ts';
import { createGate, turn, until } from '../../test/http/deadline.ts';

/** Brings a client into a state. Returns the request whose end the server must see, if there is one. */
const ways: Record<string, (server: Exchanges, observed: Observed) => Promise<Exchange | undefined>> = {
  'before it asked': async () => undefined,
  'while connecting': (server) => server.next(),
  'while open': async (server, { hasStatus }) => {
    const exchange = await server.next();
    exchange.stream(welcome());
    await hasStatus('open');
    return exchange;
  },
  'while waiting': async (server, { hasStatus }) => {
    (await server.next()).cut();
    await hasStatus('waiting');
    return undefined;
  },
  'while the server explains a failure': async (server, { clock }) => {
    const exchange = await server.next();
    exchange.response.writeHead(503, { 'content-type': 'application/json' }).flushHeaders();
    await until('wait for the explanation', () => clock.timers === 1);
    return exchange;
  },
};

describe.each(Object.entries(ways))('closing %s', (_, reach) => {
  it('ends it at once and leaves nothing behind', async () => {
    const server = await serveExchanges();
    const observed = observe(server.url);
    const { client, clock, statuses, errors } = observed;
    const iterated = client[Symbol.asyncIterator]().next();
    const exchange = await reach(server, observed);
    const told = errors.length;
    client.close();
    client.close();
    expect(client.status).toBe('closed');
    expect(statuses.filter((status) => status === 'closed')).toHaveLength(1);
    expect(clock.timers).toBe(0);
    expect(await iterated).toEqual({ done: true, value: undefined });
    await exchange?.gone;
    await turn();
    clock.advance(1_000_000);
    expect(errors).toHaveLength(told);
    expect(client.status).toBe('closed');
  });
});

it('hands out no event of the chunk that it was closed in', async () => {
  const server = await serveExchanges();
  const { client, messages } = observe(server.url);
  client.on('message', () => client.close());
  const exchange = await server.next();
  exchange.stream('id: 1\ndata: 1\n\nid: 2\ndata: 2\n\n');
  await exchange.gone;
  expect(messages).toEqual(['1']);
  expect(client.cursor).toBe('1');
});

it('can be closed by a listener for errors or for the status', async () => {
  const server = await serveExchanges();
  const first = observe(server.url);
  first.client.onError(() => first.client.close());
  (await server.next()).cut();
  await first.hasStatus('closed');
  expect(first.clock.timers).toBe(0);

  const second = observe(server.url);
  second.client.onStatus((status) => status === 'open' && second.client.close());
  const exchange = await server.next();
  exchange.stream('data: 1\n\n');
  await second.hasStatus('closed');
  await exchange.gone;
  expect(second.messages).toEqual([]);
});

it('makes no request if it was closed while the headers were made', async () => {
  const server = await serveExchanges();
  const { passed, open } = createGate<HeadersInit>();
  const { client } = observe(server.url, { headers: () => passed });
  client.close();
  open({});
  await turn();
  expect(server.count).toBe(0);
});

describe('a fetch that ignores its signal', () => {
  const types: Readonly<Record<number, string>> = {
    200: 'text/event-stream',
    403: 'application/json',
    503: 'text/html',
  };

  it.each([200, 204, 403, 503])(
    'has its body let go of, whenever the client is closed: %i',
    async (status) => {
      for (let turns = 0; turns < 30; turns += 1) {
        const open = new Set<object>();
        const { client, clock } = observe('http://localhost', {
          async fetch() {
            const read = (): Promise<never> => new Promise(() => {});
            const cancel = async (): Promise<void> => void open.delete(body);
            const body = { getReader: () => ({ read, cancel }) };
            open.add(body);
            return { status, headers: new Headers({ 'content-type': types[status] ?? 'text/plain' }), body };
          },
        });
        // Each step of the client takes some of the queue of microtasks.
        for (let i = 0; i < turns; i += 1) await Promise.resolve();
        client.close();
        await turn();
        expect([turns, open.size, clock.timers]).toEqual([turns, 0, 0]);
      }
    },
  );
});
