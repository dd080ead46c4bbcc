/**
 * A client against a server that behaves at random: whatever it does, and whatever the app does meanwhile, the client
 * neither loses nor repeats an event, and leaves nothing behind. No sockets: `fetch` is the server.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createManualEnvironment, type ManualEnvironment } from '../../test/client/environment.ts';
import { turn } from '../../test/http/deadline.ts';
import { createManualClock } from '../testing/manual-clock.ts';
// Loaded on demand, and here from the start: only the test's clock is to make the client wait.
import './changing-topics.ts';
import {
  connect,
  type EventClient,
  type FetchInit,
  type FetchResponse,
  type ReceivedEvent,
} from './index.ts';

const EVENTS = 12;
/** Each action leads to a few requests at most; the rest is the clock's. */
const MAX_REQUESTS = 1_000;

/** How the server treats one request. */
interface Behaviour {
  readonly kind: 'stream' | 'status' | 'refuse' | 'silent' | 'hang' | 'garbage';
  /** How many events a stream brings, and where a chunk is torn. */
  readonly count: number;
  readonly tear: number;
  /** How a stream or a body goes on after its last byte. */
  readonly end: 'end' | 'break' | 'hang' | 'goodbye';
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly isHub: boolean;
}

const behaviour: fc.Arbitrary<Behaviour> = fc.record({
  kind: fc.constantFrom('stream', 'stream', 'stream', 'status', 'refuse', 'silent', 'hang', 'garbage'),
  count: fc.nat(4),
  tear: fc.nat(120),
  end: fc.constantFrom('end', 'break', 'hang', 'goodbye'),
  // Others would end the client, which is right and proves nothing here.
  status: fc.constantFrom(408, 425, 429, 500, 503),
  retryAfter: fc.constantFrom(undefined, '0', '2', '100000', 'soon'),
  isHub: fc.boolean(),
});

const GOOD: Behaviour = {
  kind: 'stream',
  count: EVENTS,
  tear: 0,
  end: 'hang',
  status: 200,
  retryAfter: undefined,
  isHub: true,
};

/** What happens to the app, at any moment or while a listener is called. */
const command = fc.constantFrom(
  'pause',
  'resume',
  'reconnect',
  'wake',
  'hide',
  'show',
  'leave',
  'return',
  'subscribe',
  'unsubscribe',
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;
const action = fc.oneof(
  fc.record({ type: fc.constant('pass' as const), by: fc.constantFrom(1, 700, 3_000, 11_000, 40_000) }),
  fc.record({ type: fc.oneof(command, fc.constant('take' as const)) }),
);

/** A server of `EVENTS` events, the nth of which has the id `a.n`. */
function createServer(behaviours: readonly Behaviour[]) {
  let requests = 0;
  let open = 0;
  let isGood = false;

  function fetch(url: string, { method, headers, signal }: FetchInit): Promise<FetchResponse> {
    const next = isGood ? undefined : behaviours[requests];
    // Changes are served as badly for ever.
    const its = method === 'POST' ? behaviours[requests % behaviours.length] : next;
    const { kind, status, retryAfter, ...rest } = its ?? GOOD;
    requests += 1;
    // A circle without a pause would never let the test go on.
    if (requests >= MAX_REQUESTS) return new Promise(() => {});
    if (kind === 'refuse') return Promise.reject(new TypeError('connection refused'));
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
    aborted.catch(() => {});
    if (kind === 'hang') return aborted;
    if (method === 'POST') return change(kind === 'status' ? status : 200);
    const cursor = new URL(url).searchParams.get('last_event_id') ?? headers.get('last-event-id') ?? 'a.0';
    const chunks = kind === 'stream' ? chunksOf(Number(cursor.slice(2)), rest) : [];
    if (kind === 'garbage') chunks.push('\u0000\uFFFD{"x":', '<html>\r', '\r\r\nnothing here\n\n');
    open += 1;
    return Promise.resolve({
      status: kind === 'status' ? status : 200,
      headers: new Headers({
        'content-type': kind === 'status' ? 'application/json' : 'text/event-stream',
        ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
      }),
      body: { getReader: () => readerOf(chunks, kind === 'silent' ? 'hang' : rest.end, aborted) },
    });
  }

  /** The stream never says so, which leaves it to each later connection to ask again. */
  async function change(status: number): Promise<FetchResponse> {
    return new Response('{"cursor":"a.0"}', { status, headers: { 'content-type': 'application/json' } });
  }

  function readerOf(chunks: string[], end: Behaviour['end'], aborted: Promise<never>) {
    let isOpen = true;
    const close = (): void => {
      if (isOpen) open -= 1;
      isOpen = false;
    };
    return {
      async read() {
        const value = chunks.shift();
        if (value !== undefined) return { done: false, value: new TextEncoder().encode(value) };
        if (end === 'hang') return aborted;
        close();
        if (end === 'break') throw new TypeError('connection reset');
        return { done: true };
      },
      async cancel() {
        close();
      },
    };
  }

  return {
    fetch,
    get requests() {
      return requests;
    },
    /** Bodies that nobody has let go of. */
    get open() {
      return open;
    },
    behaveFromNowOn: () => (isGood = true),
  };
}

function chunksOf(
  from: number,
  { count, tear, end, isHub }: Omit<Behaviour, 'kind' | 'status' | 'retryAfter'>,
) {
  const notice = (type: string, data: unknown): string =>
    `event: tidings:${type}\ndata: ${JSON.stringify(data)}\n\n`;
  let text = isHub
    ? `retry: 500\nid: a.${from}\n${notice('welcome', { connection: 'c', secret: 's', resumed: true, gaps: [], heartbeat: 15_000 })}`
    : ':\n\n';
  for (let seq = from + 1; seq <= Math.min(from + count, EVENTS); seq += 1)
    text += `id: a.${seq}\ndata: ${seq}\n\n`;
  if (isHub && end === 'goodbye') text += notice('goodbye', { reason: 'drain', retry: 300 });
  const at = Math.min(tear, text.length);
  return [text.slice(0, at), text.slice(at)];
}

function createApp(client: EventClient, environment: ManualEnvironment) {
  let changes = 0;
  return {
    act(type: Command): void {
      if (type === 'subscribe' || type === 'unsubscribe') {
        changes += 1;
        const isOver = (): number => (changes -= 1);
        client[type]('b').then(isOver, isOver);
      } else if (type === 'pause' || type === 'resume' || type === 'reconnect') client[type]();
      else environment.give(type);
    },
    /** Those that have no answer yet. */
    get changes() {
      return changes;
    },
  };
}

const EVERYTHING = Array.from({ length: EVENTS }, (_, i) => i + 1);

it('A client of a server at its worst loses nothing, repeats nothing and leaves nothing behind', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(behaviour, { maxLength: 12 }),
      fc.array(action, { maxLength: 25 }),
      fc.array(fc.option(command), { maxLength: 20 }),
      fc.constantFrom('keep' as const, 'pause' as const),
      fc.boolean(),
      async (behaviours, actions, commands, whileHidden, isIterated) => {
        const server = createServer(behaviours);
        const clock = createManualClock();
        const environment = createManualEnvironment();
        const client = connect('http://localhost/?topic=a', {
          fetch: server.fetch,
          timers: clock,
          random: () => 0.5,
          whileHidden,
          environment,
          // Otherwise a server that announces no heartbeat may be silent for ever.
          timeouts: { read: 30_000 },
        });
        const heard: number[] = [];
        const iterated: number[] = [];
        const iterator = client.events();
        client.on('message', ({ data }) => heard.push(Number(data)));
        const take = (): void =>
          void iterator
            .next()
            .then(
              ({ value }: IteratorResult<ReceivedEvent, undefined>) =>
                value && iterated.push(Number(value.data)),
            );
        if (isIterated) take();
        const app = createApp(client, environment);
        let heeded = 0;
        const react = (): void => {
          const type = commands[heeded];
          heeded += 1;
          if (type !== undefined && type !== null) app.act(type);
        };
        client.onStatus(react);
        client.onOpen(react);
        client.onError(react);
        client.on('message', react);

        for (const { type, ...its } of actions) {
          if (type === 'pass') clock.advance('by' in its ? its.by : 0);
          else if (type === 'take') {
            if (isIterated) take();
          } else app.act(type);
          await turn();
        }

        server.behaveFromNowOn();
        heeded = commands.length;
        client.resume();
        for (const sign of ['return', 'show'] as const) environment.give(sign);
        for (let round = 0; round < 200 && heard.length < EVENTS; round += 1) {
          if (isIterated) take();
          clock.advance(40_000);
          await turn();
        }
        for (let i = 0; isIterated && i < EVENTS; i += 1) take();
        await turn();
        expect(heard).toEqual(EVERYTHING);
        if (isIterated) expect(iterated).toEqual(EVERYTHING);
        expect(server.requests).toBeLessThan(MAX_REQUESTS);

        client.close();
        await turn();
        expect([clock.timers, server.open, environment.watchers, app.changes]).toEqual([0, 0, 0, 0]);
      },
    ),
    { numRuns: Number(process.env['TIDINGS_CHAOS_RUNS'] ?? 300) },
  );
}, 120_000);
