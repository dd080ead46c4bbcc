import { expect, it, vi } from 'vitest';
import { serveExchanges, welcome } from '../../test/client/exchanges.ts';
import { observe } from '../../test/client/observed.ts';
import { until } from '../../test/http/deadline.ts';

// A server, or something before it, takes the requests for these files and never answers.
vi.mock('./sharing.ts', () => new Promise(() => {}));
vi.mock('./changing-topics.ts', () => new Promise(() => {}));

it('A client goes without a part of itself that never comes, and says so where it can’t', async () => {
  const server = await serveExchanges();
  const { client, clock, errors, hasMessages } = observe(server.url, { topics: ['a'], shared: true });
  await until('a timer', () => clock.timers > 1);
  clock.advance(15_000);
  const exchange = await server.next();
  exchange.stream(`${welcome({ secret: 's' }, 'e.1')}id: e.2\ndata: 1\n\n`);
  await hasMessages(1);
  const timers = clock.timers;
  const refused = expect(client.subscribe('b')).rejects.toMatchObject({ code: 'client/network' });
  await until('another timer', () => clock.timers > timers);
  clock.advance(15_000);
  await refused;
  exchange.send('id: e.3\ndata: 2\n\n');
  await hasMessages(2);
  expect([client.status, errors]).toEqual(['open', []]);
});
