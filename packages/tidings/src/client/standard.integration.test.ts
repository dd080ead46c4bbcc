import { describe, expect, it } from 'vitest';
import { ConnectedSource } from '../../test/client/connected-source.ts';
import { checks, scriptUrl } from '../../test/event-source/checks.ts';
import { createScriptServer } from '../../test/event-source/server.ts';
import { until } from '../../test/http/deadline.ts';
import { listen } from '../../test/http/server.ts';
import { connect } from './index.ts';

/** Checks of the standard that only the class has to pass. */
const OF_THE_CLASS: readonly string[] = [
  'the constructor refuses what is no URL',
  'the constructor converts its arguments as Web IDL has it',
  'url is the serialized URL',
  'constants are on the class and on its prototype, and stay what they are',
  'its members are those of the interface',
  'attributes that are read only cannot be set',
  'a handler is null at first, and null again if it is set to what is no object',
  'a handler takes its turn among the listeners, and keeps it',
  'a handler that is an object is not called',
  'events are what the standard says they are',
  // The client hands a chunk's events out one after the other; for a consumer that takes its time, it has iterators.
  'promise callbacks run between two events, however many',
  'an event may be called open or error',
];

/**
 * Where the client does more than the standard: it goes on after a 5xx, asks for explanations, asks its own URL again, and
 * throws at once for a URL that nothing can be fetched from.
 */
const KINDER: readonly string[] = [
  'a URL that nothing can be fetched from closes the source, with one error',
  'any status but 200 closes the source, and it asks no more',
  'connected again and refused, it closes',
  'it asks for an event stream, past all caches',
  'after a redirect it connects again to where that led',
];

const EXCEPTIONS = [...OF_THE_CLASS, ...KINDER];

describe('connect', () => {
  for (const [name, check] of Object.entries(checks)) {
    if (EXCEPTIONS.includes(name)) continue;
    it(name, async () => {
      const { url, port } = await listen(createScriptServer());
      const EventSource = ConnectedSource as unknown as typeof globalThis.EventSource;
      await check({ EventSource, base: url, otherBase: `http://localhost:${port}` });
    });
  }
});

it('may have events that are called open and error', async () => {
  const { url } = await listen(createScriptServer());
  const chunks = ['event: open\ndata: 1\n\nevent: error\ndata: 2\n\n'];
  const client = connect(scriptUrl(url, { chunks, end: 'hold' }));
  const seen: string[] = [];
  for (const type of ['open', 'error']) client.on(type, (event) => seen.push(`${event.type} ${event.data}`));
  client.onError((error) => seen.push(error.code));
  await until('two events', () => seen.length === 2);
  client.close();
  expect(seen).toEqual(['open 1', 'error 2']);
});

it('goes back to its own URL after a redirect', async () => {
  const { url } = await listen(createScriptServer());
  const location = scriptUrl(url, { chunks: ['retry:1\nid:7\ndata:1\n\n'] });
  const client = connect(
    scriptUrl(url, { status: 302, location }, { chunks: ['data:{request}\n\n'], end: 'hold' }),
    { random: () => 0 },
  );
  const seen: string[] = [];
  client.on('message', ({ data }) => seen.push(data));
  await until('two events', () => seen.length === 2);
  client.close();
  expect(seen[0]).toBe('1');
  expect(JSON.parse(seen[1] ?? '')).toMatchObject({ headers: { 'last-event-id': '7' } });
});

it('makes exceptions only from checks that exist', () => {
  expect(EXCEPTIONS.filter((name) => checks[name] === undefined)).toEqual([]);
});
