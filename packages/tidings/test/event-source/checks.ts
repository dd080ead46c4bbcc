/**
 * The HTML standard's rules for `EventSource`, as checks for any implementation in any runtime: this file imports
 * nothing. The behaviours are those that web-platform-tests look at.
 */

/** The response of test/event-source/server.ts to one request. */
export interface Answer {
  /** With 0 there is no response: the connection breaks. */
  readonly status?: number;
  /** The content type; null for none. */
  readonly type?: string | null;
  readonly location?: string;
  /** `{request}` in it becomes the request, as JSON, and `{fill}` 20,000 times `…`. */
  readonly chunks?: readonly string[];
  /** The characters of the chunks are bytes. */
  readonly bytes?: boolean;
  readonly end?: 'end' | 'hold';
}

export interface Subject {
  readonly EventSource: typeof globalThis.EventSource;
  /** The server, and the same server under another host name. */
  readonly base: string;
  readonly otherBase: string;
}

type Check = (subject: Subject) => Promise<void> | void;

const DEADLINE = 60_000;
let keys = 0;

/** The nth request to this URL gets the nth answer, and later ones the last. */
export function scriptUrl(base: string, ...answers: Answer[]): string {
  keys += 1;
  const key = `${keys}-${Math.random()}`;
  return `${base}/script?key=${key}&answers=${encodeURIComponent(JSON.stringify(answers))}`;
}

/** How many requests there were to a URL that `scriptUrl` made. */
async function countOf(url: string, path = 'count'): Promise<number> {
  const { origin, searchParams } = new URL(url);
  return Number(await (await fetch(`${origin}/${path}?key=${searchParams.get('key')}`)).text());
}

/** Destroys the socket of the last of those. */
async function cut(url: string): Promise<void> {
  await countOf(url, 'cut');
}

export function equal(actual: unknown, expected: unknown, what = ''): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (got !== wanted) throw new Error(`${what}: expected ${wanted}, got ${got}`);
}

/** Everything that happens at a source until `enough` says so; then it is closed. */
async function follow(
  { EventSource }: Subject,
  url: string,
  types: readonly string[],
  enough: (log: readonly string[]) => boolean,
): Promise<string[]> {
  const source = new EventSource(url);
  const log: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`only this happened: ${JSON.stringify(log)}`)), DEADLINE);
    const note = (line: string): void => {
      log.push(line);
      if (!enough(log)) return;
      clearTimeout(timer);
      resolve();
    };
    source.addEventListener('open', () => note(`open ${source.readyState}`));
    source.addEventListener('error', () => note(`error ${source.readyState}`));
    for (const type of ['message', ...types]) {
      source.addEventListener(type, ({ data, lastEventId }: MessageEvent<string>) =>
        note(`${type} ${data}${lastEventId === '' ? '' : ` #${lastEventId}`}`),
      );
    }
  }).finally(() => source.close());
  return log;
}

/** The events of one stream, up to its end. */
async function read(subject: Subject, ...chunks: string[]): Promise<string[]> {
  const log = await follow(subject, scriptUrl(subject.base, { chunks }), ['x', 'y'], (lines) =>
    lines.some((line) => line.startsWith('error')),
  );
  return log.slice(1, -1);
}

/** One event that a source dispatches. */
async function next<T extends Event = MessageEvent<string>>(
  source: EventSource,
  type = 'message',
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${type}`)), DEADLINE);
    source.addEventListener(
      type,
      (event) => {
        clearTimeout(timer);
        resolve(event as unknown as T);
      },
      { once: true },
    );
  });
}

function errorOf(action: () => unknown): string {
  try {
    action();
    return 'none';
  } catch (error) {
    return (error as Error).name;
  }
}

const hold: Answer = { chunks: [':\n'], end: 'hold' };
const echo: Answer = { chunks: ['data: {request}\n\n'], end: 'hold' };

interface Echo {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

async function requestOf(subject: Subject, url: string): Promise<Echo> {
  const source = new subject.EventSource(url);
  const { data } = await next(source);
  source.close();
  return JSON.parse(data) as Echo;
}

export const checks: Readonly<Record<string, Check>> = {
  // The format

  async 'lines end at LF, CR and CRLF, in any mixture'(subject) {
    equal(await read(subject, 'data:1\r\rdata:2\n\ndata:3\r\n\r\ndata:4\rdata:5\ndata:6\r\n\n'), [
      'message 1',
      'message 2',
      'message 3',
      'message 4\n5\n6',
    ]);
  },

  async 'a CRLF that two chunks share is one end'(subject) {
    equal(await read(subject, 'data:1\r', '\ndata:2\r', '\n\r', '\n'), ['message 1\n2']);
  },

  async 'one byte order mark at the start is ignored, a second one is text'(subject) {
    equal(await read(subject, '\uFEFFdata:1\n\n\uFEFFdata:2\n\ndata:3\n\n'), ['message 1', 'message 3']);
    equal(await read(subject, '\uFEFF\uFEFFdata:1\n\ndata:2\n\n'), ['message 2']);
  },

  async 'comments are ignored'(subject) {
    const long = 'x'.repeat(2_000);
    equal(
      await read(subject, `data:1\r:\0\n:\r\ndata:2\n:${long}\rdata:3\n:data:fail\r:${long}\ndata:4\n\n`),
      ['message 1\n2\n3\n4'],
    );
  },

  async 'each data field is a line of the data'(subject) {
    equal(await read(subject, 'data:\n\ndata\ndata\n\ndata:test\n\n'), [
      'message ',
      'message \n',
      'message test',
    ]);
  },

  async 'what comes before the end without a blank line is dropped'(subject) {
    equal(await read(subject, 'data:1\n\ndata:2\n'), ['message 1']);
  },

  async 'an event has the type of its event field, and message without one'(subject) {
    equal(
      await read(subject, 'event:x\ndata:1\n\ndata:2\n\nevent: y\n\ndata:3\n\nevent:x\nevent:\ndata:4\n\n'),
      ['x 1', 'message 2', 'message 3', 'message 4'],
    );
  },

  async 'an id holds until there is another one, or an empty one'(subject) {
    equal(await read(subject, 'id: 1\ndata:1\n\ndata:2\n\nid: 2\n\ndata:3\n\nid\ndata:4\n\ndata:5\n\n'), [
      'message 1 #1',
      'message 2 #1',
      'message 3 #2',
      'message 4',
      'message 5',
    ]);
  },

  async 'an id with a NUL is ignored'(subject) {
    equal(await read(subject, 'id: 1\nid: 2\0\ndata:1\n\n'), ['message 1 #1']);
  },

  async 'a field loses one space, and nothing else'(subject) {
    equal(
      await read(
        subject,
        'data:\0\n data:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n',
      ),
      ['message \0\n1\n3\n\n4'],
    );
    equal(await read(subject, 'data:\ttest\rdata: \ndata:test\n\n'), ['message \ttest\n\ntest']);
  },

  async 'unknown fields are ignored'(subject) {
    equal(
      await read(subject, 'data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacomment\ndata:test\n\n'),
      ['message test\n\ntest'],
    );
  },

  async 'a NUL in data is kept'(subject) {
    equal(await read(subject, 'data:\0\n\n\n\n'), ['message \0']);
  },

  async 'a stream is UTF-8, whatever its content type says'(subject) {
    const answer: Answer = { chunks: ['data:ok…\n\n'], type: 'text/event-stream;charset=windows-1252' };
    const enough = (log: readonly string[]): boolean => log.length === 2 || log.includes('error 2');
    equal(await follow(subject, scriptUrl(subject.base, answer), [], enough), ['open 1', 'message ok…']);
  },

  async 'an event may be large, and come in many pieces'(subject) {
    const pieces = Array.from({ length: 20 }, (_, i) => `${i}{fill}`);
    const [line] = await read(subject, 'data:', ...pieces, '\n\n');
    equal(line === `message ${pieces.map((_, i) => `${i}${'…'.repeat(20_000)}`).join('')}`, true);
  },

  async 'an event may have any type, and its type may come after its data'(subject) {
    equal(await read(subject, 'data:1\nevent:y\n\nevent:x\ndata:2\nevent:y\n\n'), ['y 1', 'y 2']);
  },

  async 'an id may come after the data, and a block of its own may bring it'(subject) {
    equal(await read(subject, 'data:1\nid:1\n\nid:2\n\ndata:3\n\nid:3\nid\n\ndata:4\n\n'), [
      'message 1 #1',
      'message 3 #2',
      'message 4',
    ]);
  },

  async 'bytes that are not UTF-8 become replacement characters'(subject) {
    // Latin-1 in the script becomes bytes: see `bytes` of the server.
    const answer: Answer = { chunks: ['data:a\u00e9b\u00c3\n\n'], bytes: true };
    const log = await follow(subject, scriptUrl(subject.base, answer), [], ({ length }) => length === 2);
    equal(log, ['open 1', 'message a\uFFFDb\uFFFD']);
  },

  async 'an event may be called open or error'(subject) {
    const source = new subject.EventSource(
      scriptUrl(subject.base, { chunks: ['event: open\ndata: 1\n\nevent: error\ndata: 2\n\n'], end: 'hold' }),
    );
    await next(source, 'open');
    equal((await next(source, 'open')).data, '1');
    equal((await next(source, 'error')).data, '2');
    equal(source.readyState, 1);
    source.close();
  },

  // The response

  async 'content types with parameters and in capitals are accepted'(subject) {
    for (const type of [
      'text/event-stream;',
      'text/event-stream; charset=utf-8',
      'TEXT/Event-Stream',
      'text/event-stream;x',
    ]) {
      const answer: Answer = { ...hold, type };
      equal(await follow(subject, scriptUrl(subject.base, answer), [], () => true), ['open 1'], type);
    }
  },

  async 'any other content type closes the source, with one error'(subject) {
    for (const type of ['text/event-stream-x', 'x text/event-stream', 'text/html', 'x bogus', null]) {
      const url = scriptUrl(subject.base, { chunks: ['data:1\n\n'], type });
      equal(await follow(subject, url, [], () => true), ['error 2'], String(type));
    }
  },

  async 'any status but 200 closes the source, and it asks no more'(subject) {
    for (const status of [204, 205, 210, 299, 301, 400, 401, 404, 410, 500, 503]) {
      const url = scriptUrl(subject.base, { status, chunks: status < 206 ? [] : ['retry:1\ndata:1\n\n'] });
      equal(await follow(subject, url, [], () => true), ['error 2'], String(status));
      equal(await countOf(url), 1, String(status));
    }
  },

  async 'redirects are followed, and the origin of events is that of the last URL'(subject) {
    for (const status of [301, 302, 303, 307, 308]) {
      const location = scriptUrl(subject.otherBase, { chunks: ['data:1\n\n'], end: 'hold' });
      const url = scriptUrl(subject.base, { status, location });
      const source = new subject.EventSource(url);
      const { origin } = await next(source);
      equal([origin, source.url], [new URL(subject.otherBase).origin, new URL(url).href], String(status));
      source.close();
    }
  },

  async 'a redirect to a refusal closes the source'(subject) {
    const location = scriptUrl(subject.base, { status: 404 });
    equal(await follow(subject, scriptUrl(subject.base, { status: 302, location }), [], () => true), [
      'error 2',
    ]);
  },

  // "Let request be the EventSource object's request … Fetch request": its URL list ends with where the redirect led.
  async 'after a redirect it connects again to where that led'(subject) {
    const location = scriptUrl(subject.base, { chunks: ['retry:1\ndata:1\n\n'] }, echo);
    const url = scriptUrl(subject.base, { status: 302, location });
    const source = new subject.EventSource(url);
    equal((await next(source)).data, '1');
    equal((JSON.parse((await next(source)).data) as Echo).method, 'GET');
    equal(source.url, new URL(url).href);
    source.close();
    equal([await countOf(url), await countOf(location)], [1, 2]);
  },

  // The request

  async 'a fragment is not sent'(subject) {
    const url = scriptUrl(subject.base, hold);
    equal(await follow(subject, `${url}#here`, [], () => true), ['open 1']);
    equal(await countOf(url), 1);
  },

  async 'it asks for an event stream, past all caches'(subject) {
    const { method, headers } = await requestOf(subject, scriptUrl(subject.base, echo));
    equal([method, headers['accept'], headers['cache-control']], ['GET', 'text/event-stream', 'no-cache']);
    equal('last-event-id' in headers, false);
  },

  async 'the last event ID goes back with the next request, as UTF-8'(subject) {
    for (const id of ['1', 'é…世😀', 'a b']) {
      const url = scriptUrl(subject.base, { chunks: [`retry:1\nid:${id}\n\n`] }, echo);
      const { headers } = await requestOf(subject, url);
      equal(
        new TextDecoder().decode(Uint8Array.from(headers['last-event-id'] ?? '', (c) => c.charCodeAt(0))),
        id,
      );
    }
  },

  async 'an id that was taken back is not sent'(subject) {
    const url = scriptUrl(subject.base, { chunks: ['retry:1\nid:1\n\nid\n\n'] }, echo);
    equal('last-event-id' in (await requestOf(subject, url)).headers, false);
  },

  async 'an id of an event that was cut off is not sent'(subject) {
    const url = scriptUrl(subject.base, { chunks: ['retry:1\nid:1\ndata:1\n\nid:2\ndata:2\n'] }, echo);
    const source = new subject.EventSource(url);
    equal((await next(source)).data, '1');
    equal((JSON.parse((await next(source)).data) as Echo).headers['last-event-id'], '1');
    source.close();
  },

  // Connecting again

  async 'at the end of a stream it connects again, and goes on'(subject) {
    const answers: Answer[] = [
      { chunks: ['retry:1\nid:1\ndata:a\n\n'] },
      { chunks: ['data:b\n\n'], end: 'hold' },
    ];
    const url = scriptUrl(subject.base, ...answers);
    equal(await follow(subject, url, [], ({ length }) => length === 5), [
      'open 1',
      'message a #1',
      'error 0',
      'open 1',
      'message b #1',
    ]);
  },

  async 'a stream that is cut off is connected again'(subject) {
    const url = scriptUrl(subject.base, { chunks: ['retry:1\nid:7\ndata:a\n\n'], end: 'hold' }, echo);
    const source = new subject.EventSource(url);
    equal((await next(source)).lastEventId, '7');
    let state;
    source.onerror = () => (state = source.readyState);
    void cut(url);
    equal((JSON.parse((await next(source)).data) as Echo).headers['last-event-id'], '7');
    equal(state, 0);
    source.close();
  },

  async 'a connection that breaks before the response is tried again'(subject) {
    const url = scriptUrl(subject.base, { chunks: ['retry:1\ndata:a\n\n'] }, { status: 0 }, hold);
    const log = await follow(
      subject,
      url,
      [],
      (lines) => lines.filter((line) => line === 'open 1').length === 2,
    );
    // Browsers ask once more themselves, without a word, if the connection was an old one.
    if (log[3] === 'error 0') log.splice(3, 1);
    equal(log, ['open 1', 'message a', 'error 0', 'open 1']);
  },

  async 'connected again and refused, it closes'(subject) {
    const url = scriptUrl(subject.base, { chunks: ['retry:1\n\n'] }, { status: 500 });
    equal(await follow(subject, url, [], ({ length }) => length === 3), ['open 1', 'error 0', 'error 2']);
    equal(await countOf(url), 2);
  },

  async 'it waits for the reconnection time, and retry with anything but digits changes nothing'(subject) {
    const retry = 'retry:700\nretry:7x\nretry:-7\nretry:\nretry\nretry: 1e1\n';
    const url = scriptUrl(subject.base, { chunks: [`${retry}data:1\n\n`] }, hold);
    const source = new subject.EventSource(url);
    await next(source, 'error');
    const start = performance.now();
    await next(source, 'open');
    // Timers of browsers may be a little early.
    equal(performance.now() - start > 650, true);
    source.close();
  },

  async 'the last retry holds, leading zeros or not, for all connections to come'(subject) {
    const url = scriptUrl(subject.base, { chunks: ['retry:60000\nretry:0020\n\n'] }, { chunks: [':\n'] });
    await follow(subject, url, [], (log) => log.filter((line) => line === 'open 1').length === 4);
  },

  async 'close() while it waits is the end'(subject) {
    const url = scriptUrl(subject.base, { chunks: ['retry:30\n\n'] });
    const source = new subject.EventSource(url);
    source.onerror = () => source.close();
    await next(source, 'error');
    const other = scriptUrl(subject.base, { chunks: ['retry:60\n\n'] });
    await follow(subject, other, [], (log) => log.filter((line) => line === 'open 1').length === 4);
    equal([await countOf(url), source.readyState], [1, 2]);
  },

  // The object

  async 'close() in a listener lets no other event through'(subject) {
    const source = new subject.EventSource(
      scriptUrl(subject.base, { chunks: ['data:1\n\ndata:2\n\n', 'data:3\n\n'] }),
    );
    const seen: string[] = [];
    equal(source.readyState, 0);
    source.onopen = () => seen.push(`open ${source.readyState}`);
    source.onerror = () => seen.push('error');
    source.onmessage = ({ data }: MessageEvent<string>) => {
      source.close();
      seen.push(`${data} ${source.readyState}`);
    };
    await next(source);
    await read(subject, 'data:1\n\n');
    source.close();
    equal(seen, ['open 1', '1 2']);
  },

  async 'a source that is closed at once asks for nothing'(subject) {
    const source = new subject.EventSource(scriptUrl(subject.base, hold));
    const seen: string[] = [];
    for (const type of ['open', 'error']) source.addEventListener(type, () => seen.push(type));
    source.close();
    equal(source.readyState, 2);
    await read(subject, 'data:1\n\n');
    equal(seen, []);
  },

  async 'promise callbacks run between two events, however many'(subject) {
    const source = new subject.EventSource(
      scriptUrl(subject.base, { chunks: ['data:1\n\ndata:2\n\ndata:3\n\n'], end: 'hold' }),
    );
    const seen: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      seen.push((await next(source)).data);
      for (let turns = 0; turns < 20; turns += 1) await Promise.resolve();
    }
    source.close();
    equal(seen, ['1', '2', '3']);
  },

  async 'events are what the standard says they are'(subject) {
    const url = scriptUrl(subject.base, { chunks: ['id:1\ndata:a\n\n'] });
    const source = new subject.EventSource(url);
    const open = await next<Event>(source, 'open');
    const message = await next(source);
    const error = await next<Event>(source, 'error');
    source.close();
    for (const event of [open, message, error]) {
      equal([event.bubbles, event.cancelable, event.target === source], [false, false, true], event.type);
    }
    equal([open instanceof MessageEvent, error instanceof MessageEvent], [false, false]);
    equal(message instanceof MessageEvent, true);
    equal([message.data, message.lastEventId, message.origin], ['a', '1', new URL(subject.base).origin]);
    equal([message.ports, message.source], [[], null]);
    equal(Object.hasOwn(error, 'data'), false);
  },

  'the constructor refuses what is no URL'({ EventSource }) {
    for (const url of ['http://[', 'http://a:99999999/', 'http://']) {
      equal(
        errorOf(() => new EventSource(url)),
        'SyntaxError',
        url,
      );
    }
    try {
      new EventSource('http://[');
    } catch (error) {
      equal(error instanceof DOMException, true);
    }
  },

  async 'a URL that nothing can be fetched from closes the source, with one error'(subject) {
    for (const url of ['ftp://a/', 'about:blank', 'mailto:a@b', 'javascript:1']) {
      equal(await follow(subject, url, [], () => true), ['error 2'], url);
    }
  },

  'the constructor converts its arguments as Web IDL has it'({ EventSource, base }) {
    const url = scriptUrl(base, hold);
    const construct = EventSource as unknown as new (...values: unknown[]) => globalThis.EventSource;
    const call = EventSource as unknown as (...values: unknown[]) => unknown;
    equal(
      errorOf(() => call(url)),
      'TypeError',
      'without new',
    );
    equal(
      errorOf(() => new construct()),
      'TypeError',
      'without a URL',
    );
    equal(
      errorOf(() => new construct(Symbol('url'))),
      'TypeError',
      'a symbol',
    );
    equal(
      errorOf(() => new construct(url, 5)),
      'TypeError',
      'a number as options',
    );
    const given: [unknown, boolean][] = [
      [undefined, false],
      [null, false],
      [{}, false],
      [{ withCredentials: 1, unknown: true }, true],
      [{ withCredentials: '' }, false],
      [() => undefined, false],
    ];
    for (const [options, expected] of given) {
      const source = new construct({ toString: () => url }, options);
      equal([source.url, source.withCredentials], [new URL(url).href, expected]);
      source.close();
    }
    equal([EventSource.length, EventSource.name], [1, 'EventSource']);
  },

  'url is the serialized URL'({ EventSource, base }) {
    const source = new EventSource(`${base}/a/../b c?ü#d`);
    equal(source.url, `${base}/b%20c?%C3%BC#d`);
    source.close();
  },

  'constants are on the class and on its prototype, and stay what they are'({ EventSource }) {
    for (const target of [EventSource, EventSource.prototype]) {
      for (const [name, value] of Object.entries({ CONNECTING: 0, OPEN: 1, CLOSED: 2 })) {
        equal(Object.getOwnPropertyDescriptor(target, name), {
          value,
          writable: false,
          enumerable: true,
          configurable: false,
        });
      }
    }
  },

  'its members are those of the interface'({ EventSource }) {
    const { prototype } = EventSource;
    equal(Object.getPrototypeOf(prototype) === EventTarget.prototype, true);
    equal(Object.prototype.toString.call(prototype), '[object EventSource]');
    const names = Object.getOwnPropertyNames(prototype).toSorted();
    equal(names, [
      'CLOSED',
      'CONNECTING',
      'OPEN',
      'close',
      'constructor',
      'onerror',
      'onmessage',
      'onopen',
      'readyState',
      'url',
      'withCredentials',
    ]);
    for (const name of ['url', 'readyState', 'withCredentials', 'onopen', 'onmessage', 'onerror']) {
      const { get, set, enumerable, configurable } = Object.getOwnPropertyDescriptor(prototype, name) ?? {};
      equal([get?.name, set?.name], [`get ${name}`, name.startsWith('on') ? `set ${name}` : undefined]);
      equal([enumerable, configurable], [true, true], name);
      equal(
        errorOf(() => get?.call({})),
        'TypeError',
        name,
      );
    }
    const { value, ...close } = Object.getOwnPropertyDescriptor(prototype, 'close') ?? {};
    equal(close, { writable: true, enumerable: true, configurable: true });
    equal([typeof value, (value as () => void).length], ['function', 0]);
    const tag = Object.getOwnPropertyDescriptor(prototype, Symbol.toStringTag);
    equal([tag?.writable, tag?.enumerable, tag?.configurable], [false, false, true]);
  },

  'attributes that are read only cannot be set'({ EventSource, base }) {
    const source = new EventSource(scriptUrl(base, hold)) as unknown as Record<string, unknown>;
    for (const name of ['url', 'readyState', 'withCredentials', 'OPEN']) {
      equal(
        errorOf(() => {
          source[name] = 9;
        }),
        'TypeError',
        name,
      );
    }
    (source as unknown as globalThis.EventSource).close();
  },

  'a handler is null at first, and null again if it is set to what is no object'({ EventSource, base }) {
    const source = new EventSource(scriptUrl(base, hold));
    const attributes = source as unknown as Record<string, unknown>;
    for (const name of ['onopen', 'onmessage', 'onerror']) {
      equal(attributes[name], null);
      const handler = (): void => undefined;
      attributes[name] = handler;
      equal(attributes[name] === handler, true);
      for (const value of [undefined, 1, 'handler', true, Symbol('x'), null]) {
        attributes[name] = handler;
        attributes[name] = value;
        equal(attributes[name], null);
      }
      const object = { handleEvent: handler };
      attributes[name] = object;
      equal(attributes[name] === object, true);
    }
    source.close();
  },

  async 'a handler takes its turn among the listeners, and keeps it'(subject) {
    const source = new subject.EventSource(
      scriptUrl(subject.base, { chunks: ['data:1\n\n', 'data:2\n\n', 'data:3\n\n'], end: 'hold' }),
    );
    const seen: string[] = [];
    source.addEventListener('message', () => seen.push('first'));
    source.onmessage = () => seen.push('old');
    source.addEventListener('message', () => seen.push('last'));
    source.onmessage = function handler(this: unknown, ...values: unknown[]) {
      seen.push(`handler ${this === source} ${values.length}`);
    };
    await next(source);
    equal(seen.splice(0), ['first', 'handler true 1', 'last']);
    source.onmessage = null;
    await next(source);
    equal(seen.splice(0), ['first', 'last']);
    source.onmessage = () => seen.push('again');
    await next(source);
    source.close();
    equal(seen, ['first', 'last', 'again']);
  },

  async 'a handler that is an object is not called'(subject) {
    const source = new subject.EventSource(scriptUrl(subject.base, { chunks: ['data:1\n\n'], end: 'hold' }));
    let called = false;
    source.onmessage = { handleEvent: () => (called = true) } as never;
    await next(source);
    source.close();
    equal(called, false);
  },
};
