import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { createFakeBrowser, type FakeTab } from '../../../test/client/fake-browser.ts';
import { connect, type EventClient } from '../index.ts';
import '../changing-topics.ts';
import '../sharing.ts';

const RUNS = Number(process.env['TIDINGS_MODEL_RUNS'] ?? 15);
const SPEED = 100;
const TABS = 3;
/** Milliseconds of the browser's time. */
const TIME = 60_000;
/** A minute of backing off is about ten requests; answers that say "come back at once" add a few. */
const MAX_REQUESTS = 30 * TABS;

const frame = (type: string, data: unknown, id = ''): string => {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${id === '' ? '' : `id: ${id}\n`}event: tidings:${type}\ndata: ${text}\n\n`;
};

const hello = { connection: 'c', secret: 's', resumed: true, gaps: [], heartbeat: 5_000, audience: 'A' };
const gap = { topics: ['a'], reason: 'epoch' };
const goodbyes = [
  { reason: 'wait', retry: 0 },
  { reason: 'drain', retry: 0 },
  { reason: 'drain', retry: 1e300 },
];

/** A piece of a stream: what a hub might send, at the wrong time or slightly wrong. */
const piece = fc.oneof(
  fc
    .record({
      audience: fc.constantFrom('A', 'B', undefined, 7),
      topics: fc.constantFrom<unknown>(['a'], ['b'], [], 'x'),
      gaps: fc.constantFrom<unknown>([], [gap], null),
      heartbeat: fc.constantFrom<unknown>(1, 5_000, 1e300, -1, 'x'),
    })
    .map((fields) => frame('welcome', { ...hello, ...fields }, 'e.5')),
  fc.constantFrom('e.1', 'e.9', 'f.3', 'e.9999999999999999999', '', 'rubbish').map((id) => `id: ${id}\n\n`),
  fc.constantFrom('e.6', 'e.1', 'g.1').map((id) => `id: ${id}\ndata: 1\n\n`),
  fc
    .constantFrom<unknown>({ topics: ['a'] }, { topics: 'a' }, { topics: [null] }, 'null', '{')
    .map((data) => frame('label', data)),
  fc.constantFrom<unknown>(...goodbyes, '{').map((data) => frame('goodbye', data, 'e.7')),
  fc.constantFrom<unknown>({ within: 0 }, { within: 1e9 }, 'x').map((data) => frame('expiring', data)),
  fc.constantFrom<unknown>({ gaps: [gap] }, { gaps: {} }).map((data) => frame('gap', data, 'e.8')),
  fc
    .constantFrom<unknown>({ topics: ['a', 'b'] }, { topics: 7 })
    .map((data) => frame('subscribed', data, 'e.9')),
  fc.constantFrom('retry: 0\n\n', 'retry: 99999999999999\n\n', ': comment\n', '\u0000\r\n\r', 'data'),
);

const answer = fc.record({
  how: fc.oneof(
    { weight: 6, arbitrary: fc.constant('stream') },
    { weight: 2, arbitrary: fc.constantFrom('refused', 'unavailable', 'nothing', 'broken', 'never') },
  ),
  /** As a hub begins, and as it ends. */
  proper: fc.record({ begin: fc.boolean(), end: fc.boolean() }),
  pieces: fc.array(piece, { maxLength: 5 }),
  end: fc.constantFrom('end', 'stay', 'break'),
});

/** Answers without a stream. */
const STATUS: ReadonlyMap<string, number> = new Map([
  ['refused', 403],
  ['unavailable', 503],
  ['nothing', 204],
]);

type Answer = typeof answer extends fc.Arbitrary<infer T> ? T : never;

function respond({ how, proper, pieces, end }: Answer, url: URL, signal: AbortSignal): Promise<Response> {
  const matchers = url.searchParams.getAll('topic');
  const status = STATUS.get(how);
  if (status !== undefined)
    return Promise.resolve(new Response(null, { status, headers: { 'retry-after': '0' } }));
  if (how === 'broken') return Promise.reject(new TypeError('broken'));
  if (how === 'never') {
    return new Promise((_, reject) =>
      signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError'))),
    );
  }
  const all = [
    ...(proper.begin ? [frame('welcome', { ...hello, topics: matchers }, 'e.5')] : []),
    ...pieces,
    ...(proper.end && url.searchParams.has('wait') ? [frame('goodbye', goodbyes[0], 'e.9')] : []),
  ];
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const text of all) controller.enqueue(new TextEncoder().encode(text));
      if (end === 'end') controller.close();
      if (end === 'break') controller.error(new TypeError('broken'));
    },
  });
  return Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } }));
}

function open({ shared, environment, timers, fetch }: FakeTab): EventClient {
  const client = connect('/events', {
    shared: { environment: shared },
    environment,
    timers,
    fetch,
    topics: ['a'],
    cursor: 'e.5',
    // Whole answers that bring something are asked for as fast as they come, so requests for them have no bound.
    longPoll: 'never',
  });
  client.subscribe('b').catch(() => {
    // The server may make of it what it likes.
  });
  return client;
}

const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

it('Whatever a server sends to tabs that share, they neither hammer it nor throw, and end when they are closed', async () => {
  const thrown: unknown[] = [];
  const note = (reason: unknown): void => void thrown.push(reason);
  for (const event of ['unhandledRejection', 'uncaughtException']) process.on(event, note);
  onTestFinished(() => {
    for (const event of ['unhandledRejection', 'uncaughtException']) process.off(event, note);
  });
  await fc.assert(
    fc.asyncProperty(fc.array(answer, { minLength: 1, maxLength: 5 }), async (answers) => {
      let requests = 0;
      const browser = createFakeBrowser(
        (url: string, { signal }: RequestInit) => {
          const its = answers[requests % answers.length] as Answer;
          requests += 1;
          return respond(its, new URL(url), signal as AbortSignal);
        },
        SPEED,
        () => 1,
      );
      const clients = Array.from({ length: TABS }, () => open(browser.openTab()));
      await sleep(TIME / SPEED);
      for (const client of clients) client.close();
      await sleep(20);
      const atEnd = requests;
      await sleep(100);
      expect(thrown).toEqual([]);
      expect(atEnd).toBeLessThan(MAX_REQUESTS);
      expect(requests).toBe(atEnd);
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
});
