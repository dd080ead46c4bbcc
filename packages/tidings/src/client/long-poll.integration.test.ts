import { describe, expect, it } from 'vitest';
import { type Exchange, type Exchanges, serveExchanges, welcome } from '../../test/client/exchanges.ts';
import { observe, type Observed } from '../../test/client/observed.ts';
import { until } from '../../test/http/deadline.ts';
import { startNode } from '../../test/http/hub.ts';

const WAIT = 25_000;

/** A proxy that holds a response back until it ends. */
async function holdBack(exchange: Exchange, { clock, errors }: Observed): Promise<void> {
  const before = errors.length;
  exchange.response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  await until('end of patience', () => {
    if (errors.length === before) clock.advance(1_000);
    return errors.length > before;
  });
  await exchange.gone;
}

const PAUSE = 250;
const GOODBYE = `retry: ${PAUSE}\nevent: tidings:goodbye\ndata: {"reason":"wait","retry":${PAUSE}}\n\n`;

const answer = (exchange: Exchange, cursor: string, events = ''): void =>
  exchange.answer(
    200,
    { 'content-type': 'text/event-stream' },
    `${welcome({ secret: 's' }, cursor)}${events}${GOODBYE}`,
  );

/** The next request, after the pause between two polls. */
async function nextPoll(server: Exchanges, { clock }: Pick<Observed, 'clock'>): Promise<Exchange> {
  const before = server.count;
  await until('next poll', () => {
    if (server.count === before) clock.advance(10);
    return server.count > before;
  });
  return server.next();
}

async function toPolling(options: Parameters<typeof observe>[1] = {}) {
  const server = await serveExchanges();
  const observed = observe(server.url, { topics: ['a'], ...options });
  const first = await server.next();
  expect(first.url.search).toBe('?topic=a');
  await holdBack(first, observed);
  await observed.comesBack();
  await holdBack(await server.next(), observed);
  await until('third request', () => {
    observed.clock.advance(0);
    return server.count === 3;
  });
  return { server, ...observed, poll: await server.next() };
}

describe('a hub behind a proxy that holds streams back', () => {
  it('is asked for whole answers after two silent connections, one after the other', async () => {
    const observed = await toPolling();
    const { server, poll, client, statuses, messages, errors, hasMessages } = observed;
    expect(poll.url.search).toBe('?topic=a&wait=25');
    answer(poll, 'a.0', 'id: a.1\ndata: 1\n\n');
    await hasMessages(1);
    const second = await nextPoll(server, observed);
    expect([second.url.search, second.headers['last-event-id']]).toEqual(['?topic=a&wait=25', 'a.1']);
    expect(client.status).toBe('polling');
    answer(second, 'a.1', 'id: a.2\ndata: 2\n\n');
    await hasMessages(2);
    await nextPoll(server, observed);
    expect(messages).toEqual(['1', '2']);
    expect(statuses).toEqual(['connecting', 'waiting', 'connecting', 'waiting', 'connecting', 'polling']);
    expect(errors.map((error) => error.split(',')[0])).toEqual(['client/silent', 'client/silent']);
  });

  it('may take its time for an answer, and answer with nothing', async () => {
    const observed = await toPolling();
    const { server, poll, clock, client, errors } = observed;
    await until('watch', () => clock.timers === 1);
    clock.advance(WAIT + 1_000);
    answer(poll, 'a.0');
    const second = await nextPoll(server, observed);
    expect(second.headers['last-event-id']).toBe('a.0');
    clock.advance(WAIT + 1_000);
    second.response.writeHead(200, { 'content-type': 'text/event-stream' }).end();
    await server.next();
    expect([client.status, errors.length]).toEqual(['polling', 2]);
  });

  it('is asked for a stream now and then, and keeps it if that comes through', async () => {
    const observed = await toPolling();
    const { server, poll, clock, client, hasStatus } = observed;
    answer(poll, 'a.0', 'id: a.1\ndata: 1\n\n');
    let exchange = await nextPoll(server, observed);
    for (let cursor = 2; exchange.url.searchParams.has('wait'); cursor += 1) {
      clock.advance(WAIT);
      answer(exchange, `a.${cursor}`);
      exchange = await nextPoll(server, observed);
      expect(cursor).toBeLessThan(40);
    }
    expect(client.status).toBe('connecting');
    exchange.stream(welcome({}, 'a.50'));
    await hasStatus('open');
  });

  it('is asked for other topics at once', async () => {
    const observed = await toPolling();
    const { server, poll, client } = observed;
    answer(poll, 'a.0', 'id: a.1\ndata: 1\n\n');
    const second = await nextPoll(server, observed);
    const subscribed = client.subscribe('b');
    await second.gone;
    const third = await server.next();
    expect(third.url.searchParams.getAll('topic')).toEqual(['a', 'b']);
    answer(third, 'a.5');
    expect(await subscribed).toBe('a.5');
  });

  it('is not asked again at once if it answers at once with nothing new', async () => {
    const observed = await toPolling();
    const { server, poll, hasStatus } = observed;
    answer(poll, 'a.0');
    answer(await nextPoll(server, observed), 'a.0');
    await hasStatus('waiting');
    expect(server.count).toBe(4);
  });
});

describe('whole answers', () => {
  it('are requested from the beginning if the app wants it', async () => {
    const server = await serveExchanges();
    const observed = observe(`${server.url}/?x=1`, { longPoll: 'always' });
    const { client } = observed;
    const exchange = await server.next();
    expect(exchange.url.search).toBe('?x=1&wait=25');
    answer(exchange, 'a.0');
    await nextPoll(server, observed);
    expect(client.status).toBe('polling');
  });

  it.each([{ topics: [] }, { longPoll: 'never' as const }])(
    'are never requested from a server that does not know them: %j',
    async (options) => {
      const server = await serveExchanges();
      const observed = observe(server.url, { topics: ['a'], timeouts: { firstByte: 1_000 }, ...options });
      for (let i = 0; i < 3; i += 1) {
        const exchange = await server.next();
        expect(exchange.url.searchParams.has('wait')).toBe(false);
        await holdBack(exchange, observed);
        await observed.comesBack();
      }
    },
  );
});

it('Polling a hub brings each event once and without a gap, and the hub says how long to pause between answers', async () => {
  const { hub, url } = await startNode();
  await hub.publish('a', 'before');
  const { clock, client, messages, statuses, gaps, errors } = observe(url, {
    topics: ['a'],
    longPoll: 'always',
  });
  for (let n = 0; n < 10; n += 1) {
    await until('poll', () => {
      clock.advance(50);
      return hub.connections().some(({ phase }) => phase === 'live');
    });
    await Promise.all([hub.publish('a', n), hub.publish('b', n)]);
    await until(`event ${n}`, () => messages.length > n);
  }
  expect(messages).toEqual(Array.from({ length: 10 }, (_, n) => String(n)));
  expect([gaps, errors, client.status]).toEqual([[], [], 'polling']);
  expect(statuses).toEqual(['connecting', 'polling']);
});
