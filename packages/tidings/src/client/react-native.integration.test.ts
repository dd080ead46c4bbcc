import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { serveExchanges, welcome } from '../../test/client/exchanges.ts';
import { observe } from '../../test/client/observed.ts';
import { NodeXhr } from '../../test/client/xhr.ts';
import { until } from '../../test/http/deadline.ts';
import { appEnvironment, type AppStateLike, xhrFetch } from './index.ts';

beforeEach(() => void vi.stubGlobal('XMLHttpRequest', NodeXhr));
afterEach(() => void vi.unstubAllGlobals());

describe('an XMLHttpRequest', () => {
  it('brings a stream piece by piece, across drops', async () => {
    const server = await serveExchanges();
    const { errors, messages, openings, hasMessages, comesBack, client } = observe(server.url, {
      fetch: xhrFetch,
      headers: { authorization: 'Bearer t' },
      topics: ['a'],
    });
    const first = await server.next();
    expect(first.headers.authorization).toBe('Bearer t');
    first.stream(`${welcome()}id: a.1\ndata: grüße 😀\n\n`);
    await hasMessages(1);
    first.send('id: a.2\ndata: 2\n\nid: a.3\nda');
    await hasMessages(2);
    first.cut();
    await comesBack();
    const second = await server.next();
    expect(second.headers['last-event-id']).toBe('a.2');
    second.stream('data: 3\n\n');
    await hasMessages(3);
    expect([messages, errors.length]).toEqual([['grüße 😀', '2', '3'], 1]);
    expect(openings[0]?.response.headers.get('Content-Type')).toBe('text/event-stream');
    client.close();
    await second.gone;
  });

  it('carries bodies, changes, and a server’s words about a failure', async () => {
    const server = await serveExchanges();
    const { client, openings, hasStatus } = observe(server.url, {
      fetch: xhrFetch,
      body: '{"q":1}',
      topics: ['a'],
    });
    const stream = await server.next();
    expect([stream.method, await stream.json()]).toEqual(['POST', { q: 1 }]);
    stream.stream(welcome({ secret: 's' }));
    await until('opening', () => openings.length > 0);
    const changed = client.subscribe('b');
    const change = await server.next();
    expect(await change.json()).toMatchObject({ add: ['b'] });
    change.answer(403, { 'content-type': 'application/problem+json' }, '{"code":"app/no"}');
    await expect(changed).rejects.toMatchObject({ status: 403, details: { code: 'app/no' } });
    stream.response.end();
    await hasStatus('waiting');
  });
});

it('an app that goes into the background closes its stream, and resumes when it is shown again', async () => {
  const listeners = new Set<(state: string) => void>();
  const appState: AppStateLike = {
    currentState: 'active',
    addEventListener(_, listener) {
      listeners.add(listener);
      return { remove: () => void listeners.delete(listener) };
    },
  };
  const change = (state: string): void => listeners.forEach((listener) => listener(state));
  const server = await serveExchanges();
  const environment = appEnvironment(appState);
  const { client } = observe(server.url, { environment, whileHidden: 'pause' });
  const first = await server.next();
  change('inactive');
  expect(client.status).toBe('connecting');
  change('background');
  await first.gone;
  expect(client.status).toBe('paused');
  change('active');
  await server.next();
  client.close();
  expect(listeners.size).toBe(0);
});
