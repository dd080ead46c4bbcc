import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ClientOptions } from './options.ts';
import { resolveSettings } from './settings.ts';

const url = (base: string | URL, options: ClientOptions = {}): string => resolveSettings(base, options).url;
const topics = ['posts', 'a&b=c ü', { pattern: 'user/:id' }];

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('the URL', () => {
  it('keeps its own parameters, except for topics, which may change', () => {
    const given = new URL('http://localhost/events?x=1&topic=now&pattern=any/*&y=%20');
    expect(resolveSettings(given, { topics })).toMatchObject({
      url: 'http://localhost/events?x=1&y=%20',
      topics: ['now', { pattern: 'any/*' }, ...topics],
    });
  });

  it('is not changed if it is an object', () => {
    const given = new URL('http://localhost/events?topic=a');
    url(given);
    expect(given.search).toBe('?topic=a');
  });

  it('is resolved against the page, as links are, or the script of a worker', () => {
    vi.stubGlobal('location', { href: 'http://localhost/worker/main.js' });
    expect(url('events')).toBe('http://localhost/worker/events');
    vi.stubGlobal('document', { baseURI: 'http://localhost/base/page' });
    expect(url('events')).toBe('http://localhost/base/events');
  });

  it('has to be absolute where there is no page', () => {
    expect(() => url('/events')).toThrow(expect.objectContaining({ code: 'client/invalid-option' }));
  });
});

describe('options', () => {
  it.each<[string, ClientOptions]>([
    ['retry.base', { retry: { base: -1 } }],
    ['retry.attempt', { retry: { attempt: 3 } } as ClientOptions],
    ['onOpen', { onOpen() {} } as ClientOptions],
    ['topics', { topics: 'a' as never }],
    ['topics', { topics: [undefined as never] }],
    ['cursor', { cursor: 7 as never }],
    ['cursorIn', { cursorIn: 'cookie' as never }],
    ['cursorIn', { cursorIn: {} as never }],
    ['cursorIn.query', { cursorIn: { query: '' } }],
    ['cursorIn.query', { cursorIn: { query: 5 as never } }],
    ['cursorIn.name', { cursorIn: { query: 'after', name: 'after' } as never }],
    ['method', { method: 'TRACE' }],
    ['method', { method: 'a b' }],
    ['body', { method: 'get', body: 'x' }],
    ['body', { body: new ReadableStream() }],
    ['whileHidden', { whileHidden: 'close' as never }],
    ['timeouts.read', { timeouts: { read: 0 } }],
    ['shared', { shared: 'yes' as never }],
    ['shared.keys', { shared: { keys: 'a' } as never }],
    ['once', { shared: true, once: true }],
    ['body', { shared: {}, body: 'x' }],
    ['method', { shared: true, method: 'POST' }],
    ['signal', { signal: {} as never }],
    ['fetch', { fetch: {} as never }],
    ['load', { load: 'a.1' as never }],
    ['url', undefined as never],
    ['retry.max', { retry: { max: NaN } }],
    ['retry.attempts', { retry: { attempts: -1 } }],
    ['maxEventBytes', { maxEventBytes: 0 }],
    ['headers', { headers: { 'not a name': 'x' } }],
    ['headers', { headers: { name: 'a\nb' } }],
  ])('are refused by name: %s', (option, options) => {
    const error = expect.objectContaining({
      code: 'client/invalid-option',
      details: expect.objectContaining({ option }),
    });
    expect(() =>
      resolveSettings(option === 'url' ? 'ws://localhost' : 'http://localhost', options ?? {}),
    ).toThrow(error);
  });

  it('that are misspelt get the likely name suggested', () => {
    const misspelt = { header: {} } as ClientOptions;
    expect(() => resolveSettings('http://localhost', misspelt)).toThrow('Did you mean `headers`?');
  });

  it('make a request with a body a POST, unless they say otherwise', () => {
    const method = (options: ClientOptions): string => resolveSettings('http://localhost', options).method;
    expect([method({}), method({ body: '{}' }), method({ method: 'put', body: '{}' })]).toEqual([
      'GET',
      'POST',
      'PUT',
    ]);
  });

  it('may set times that no timer can, which then count as the longest that one can', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const task = vi.fn();
    const cancel = resolveSettings('http://localhost', {}).timers.setTimer(task, Infinity);
    vi.advanceTimersByTime(1_000_000);
    expect(task).not.toHaveBeenCalled();
    cancel();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('have defaults', () => {
    expect(resolveSettings('http://localhost', {})).toMatchObject({
      retry: { base: 1_000, max: 30_000, attempts: Infinity },
      maxEventBytes: 4_194_304,
    });
  });
});
