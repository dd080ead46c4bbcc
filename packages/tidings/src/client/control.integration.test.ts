import { describe, expect, it } from 'vitest';
import { createManualEnvironment } from '../../test/client/environment.ts';
import { serveExchanges, welcome } from '../../test/client/exchanges.ts';
import { observe } from '../../test/client/observed.ts';
import { turn, until } from '../../test/http/deadline.ts';
import { webEnvironment } from './environment.ts';

describe('a client that is paused', () => {
  it('has no connection, and resumes from its cursor', async () => {
    const server = await serveExchanges();
    const { client, clock, statuses, errors, hasMessages } = observe(server.url);
    const first = await server.next();
    first.stream('id: 1\ndata: 1\n\n');
    await hasMessages(1);
    client.pause();
    client.pause();
    await first.gone;
    expect([client.status, clock.timers]).toEqual(['paused', 0]);
    client.resume();
    expect((await server.next()).headers['last-event-id']).toBe('1');
    expect(statuses).toEqual(['connecting', 'open', 'paused', 'connecting']);
    expect(errors).toEqual([]);
  });

  it('makes no request before it resumes, even if topics are added', async () => {
    const server = await serveExchanges();
    const { client } = observe(server.url);
    client.pause();
    const subscribed = client.subscribe('a');
    await turn();
    expect(server.count).toBe(0);
    client.resume();
    const exchange = await server.next();
    expect(exchange.url.search).toBe('?topic=a');
    exchange.stream(welcome());
    expect(await subscribed).toBe('a.0');
  });

  it('ends for good when it is closed', async () => {
    const server = await serveExchanges();
    const { client } = observe(server.url);
    const next = client[Symbol.asyncIterator]().next();
    client.pause();
    client.close();
    client.resume();
    client.reconnect();
    expect([client.status, await next]).toEqual(['closed', { done: true, value: undefined }]);
  });
});

describe('reconnecting', () => {
  it('replaces the connection, keeps the cursor, and ends a wait', async () => {
    const server = await serveExchanges();
    const { client, errors, hasMessages, hasStatus } = observe(server.url);
    const first = await server.next();
    first.stream('id: 1\ndata: 1\n\n');
    await hasMessages(1);
    client.reconnect();
    await first.gone;
    const second = await server.next();
    expect(second.headers['last-event-id']).toBe('1');
    second.cut();
    await hasStatus('waiting');
    client.reconnect();
    expect((await server.next()).headers['last-event-id']).toBe('1');
    expect(errors).toHaveLength(1);
  });
});

it('the secret that allows changing a connection is not for listeners of the opening', async () => {
  const server = await serveExchanges();
  const { openings, hasStatus } = observe(server.url);
  (await server.next()).stream(welcome({ secret: 'for the client alone' }));
  await hasStatus('open');
  await until('opening', () => openings.length > 0);
  expect(openings[0]).toMatchObject({ connection: 'c1', heartbeat: 15_000 });
  expect(JSON.stringify(openings)).not.toContain('alone');
});

describe('a page', () => {
  it('that is left closes the stream without an error, and resumes where it was when it comes back', async () => {
    const server = await serveExchanges();
    const environment = createManualEnvironment();
    const { client, errors, hasMessages } = observe(server.url, { environment });
    const first = await server.next();
    first.stream('id: 1\ndata: 1\n\n');
    await hasMessages(1);
    environment.give('leave');
    await first.gone;
    expect([client.status, errors]).toEqual(['paused', []]);
    environment.give('return');
    expect((await server.next()).headers['last-event-id']).toBe('1');
  });

  it('that is hidden keeps its stream, unless the app says otherwise', async () => {
    const server = await serveExchanges();
    const environment = createManualEnvironment();
    const keeps = observe(server.url, { environment });
    await server.next();
    environment.give('hide');
    expect(keeps.client.status).toBe('connecting');
    keeps.client.close();
    expect(environment.watchers).toBe(0);

    const { client, clock } = observe(server.url, { environment, whileHidden: 'pause' });
    const exchange = await server.next();
    environment.give('hide');
    await exchange.gone;
    client.pause();
    environment.give('show');
    // The app's own pause is not over.
    expect([client.status, clock.timers]).toEqual(['paused', 0]);
    client.resume();
    await server.next();
  });

  it('that starts hidden makes no request before it is shown', async () => {
    const server = await serveExchanges();
    const environment = createManualEnvironment();
    let listener: (sign: 'show') => void = () => {};
    const hidden = {
      ...environment,
      watch(listen: Parameters<typeof environment.watch>[0]) {
        listener = listen;
        listen('hide');
        return () => {};
      },
    };
    observe(server.url, { environment: hidden, whileHidden: 'pause' });
    await turn();
    expect(server.count).toBe(0);
    listener('show');
    await server.next();
  });
});

describe('a network or machine that comes back', () => {
  it('makes the client expect the next heartbeat in time', async () => {
    const server = await serveExchanges();
    const environment = createManualEnvironment();
    const { clock, errors, client, openings } = observe(server.url, { environment });
    const exchange = await server.next();
    exchange.stream(welcome({ heartbeat: 10_000 }));
    await until('opening', () => openings.length > 0);
    await until('watch', () => clock.timers === 1);
    environment.give('wake');
    expect(clock.timers).toBe(1);
    clock.advance(14_999);
    expect(client.status).toBe('open');
    clock.advance(1);
    await exchange.gone;
    await until('report', () => errors.length > 0);
    expect(errors[0]).toMatch(/^client\/silent/);
  });

  it('as often as it likes does not put that off', async () => {
    const server = await serveExchanges();
    const environment = createManualEnvironment();
    const { clock, errors, openings } = observe(server.url, { environment });
    const exchange = await server.next();
    exchange.stream(welcome({ heartbeat: 10_000 }));
    await until('opening', () => openings.length > 0);
    await until('watch', () => clock.timers === 1);
    for (let passed = 0; passed < 15_000; passed += 1_000) {
      for (const sign of ['wake', 'hide', 'show', 'return'] as const) environment.give(sign);
      clock.advance(1_000);
    }
    await exchange.gone;
    await until('report', () => errors.length > 0);
    expect(errors[0]).toMatch(/^client\/silent/);
  });

  it('leaves a connection alone that shows a sign of life', async () => {
    const server = await serveExchanges();
    const environment = createManualEnvironment();
    const { clock, client, openings, hasMessages } = observe(server.url, { environment });
    const exchange = await server.next();
    exchange.stream(welcome({ heartbeat: 10_000 }));
    await until('opening', () => openings.length > 0);
    await until('watch', () => clock.timers === 1);
    environment.give('wake');
    clock.advance(14_999);
    exchange.send('data: 1\n\n');
    await hasMessages(1);
    await until('watch', () => clock.timers === 1);
    clock.advance(24_999);
    expect(client.status).toBe('open');
  });
});

describe('the environment of a browser', () => {
  function stubPage(visibilityState: string) {
    const targets = { window: new EventTarget(), document: new EventTarget() };
    const restore = { ...globalThis } as Record<string, unknown>;
    const page = Object.assign(targets.document, { visibilityState, baseURI: 'http://localhost/base/' });
    Object.assign(globalThis, {
      document: page,
      addEventListener: targets.window.addEventListener.bind(targets.window),
      removeEventListener: targets.window.removeEventListener.bind(targets.window),
    });
    return {
      page,
      ...targets,
      undo() {
        for (const name of ['document', 'addEventListener', 'removeEventListener']) {
          if (name in restore) Object.assign(globalThis, { [name]: restore[name] });
          else Reflect.deleteProperty(globalThis, name);
        }
      },
    };
  }

  it('gives its signs until nobody listens any more', () => {
    const { page, window, undo } = stubPage('hidden');
    try {
      const environment = webEnvironment();
      const signs: string[] = [];
      const stop = environment.watch((sign) => signs.push(sign));
      for (const type of ['online', 'pagehide', 'pageshow']) window.dispatchEvent(new Event(type));
      page.dispatchEvent(new Event('resume'));
      Object.assign(page, { visibilityState: 'visible' }).dispatchEvent(new Event('visibilitychange'));
      stop();
      window.dispatchEvent(new Event('online'));
      expect(signs).toEqual(['hide', 'wake', 'leave', 'return', 'wake', 'show']);
      expect(environment.base).toBe('http://localhost/base/');
    } finally {
      undo();
    }
  });
});
