import { describe, expect, test } from 'vitest';
import { createHub } from '../index.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { sse as express } from '../node/express.ts';
import { sse as fetchSse } from '../fetch/index.ts';
import { gzip } from '../node/gzip.ts';
import { sse as node } from '../node/index.ts';

const hub = createHub();
type Make = (hub: never, options: never) => unknown;
const makers: readonly (readonly [string, Make])[] = [
  ['tidings/node', node],
  ['tidings/express', express],
  ['tidings/fetch', fetchSse],
];

function refusal(make: () => unknown): [string, unknown, string] | undefined {
  try {
    make();
  } catch (error) {
    if (error instanceof TidingsError) return [error.code, error.details['option'], error.message];
    throw error;
  }
  return undefined;
}

describe.each(makers)('The options of %s', (_name, make) => {
  test.each<[string, object, string]>([
    ['authorise', { authorise: () => ({}) }, 'There is no option `authorise`. Did you mean `authorize`?'],
    ['onConnected', { onConnected: () => {} }, 'There is no option `onConnected`. Did you mean `onConnect`?'],
    [
      'cors.origins',
      { cors: { origins: '*' } },
      'There is no option `cors.origins`. Did you mean `cors.origin`?',
    ],
    ['authorize', { authorize: {} }, 'Expected `authorize` to be a function, got an object.'],
    ['cors', { cors: true }, 'Expected `cors` to be an object, got true (boolean).'],
    [
      'cors.credentials',
      { cors: { origin: 'https://a.example', credentials: 'yes' } },
      'Expected `cors.credentials` to be true or false, got "yes" (string).',
    ],
    [
      'cors.maxAge',
      { cors: { origin: '*', maxAge: -1 } },
      'Expected `cors.maxAge` to be a whole number ≥ 0, got -1 (number).',
    ],
    [
      'cors.headers',
      { cors: { origin: '*', headers: ['X A'] } },
      'Expected `cors.headers` to name headers, got "X A" (string).',
    ],
    [
      'cors.origin',
      { cors: {} },
      'Expected `cors.origin` to name origins such as "https://example.com", got undefined.',
    ],
    [
      'cors.origin',
      { cors: { origin: ['https://a.example/'] } },
      'Expected `cors.origin` to name origins such as "https://example.com", got "https://a.example/" (string).',
    ],
    [
      'cors.origin',
      { cors: { origin: 7 } },
      'Expected `cors.origin` to be a non-empty string, or a list of strings, or a function, got 7 (number).',
    ],
    [
      'topics',
      { topics: 'news' },
      'Expected `topics` to be a list of topics, or a function, got "news" (string).',
    ],
    ['topics', { topics: [] }, 'Expected `topics` to name at least one topic, got an empty list.'],
    [
      'topics',
      { topics: ['a', ''] },
      '`topics` is no list of topics and patterns. A topic is a non-empty string.',
    ],
    [
      'topics',
      { topics: ['room/:id'] },
      'The topic "room/:id" of `topics` looks like a pattern, and nothing is published on it. Write { pattern: "room/:id" }.',
    ],
    [
      'headers',
      { headers: new Headers({ 'x-app': '1' }) },
      'Expected `headers` to be a plain object of header names and values, got an object.',
    ],
    [
      'headers.x-app',
      { headers: { 'x-app': 'a\nb' } },
      'Expected `headers.x-app` to be a string of Latin-1 without line ends, got "a\\nb" (string).',
    ],
    [
      'headers',
      { headers: { 'x app': '1' } },
      'Expected the name of a header in `headers`, got "x app" (string).',
    ],
  ])('refuse a wrong %s: %j', (option, options, message) => {
    expect(refusal(() => make(hub as never, options as never))).toEqual([
      'hub/invalid-option',
      option,
      message,
    ]);
  });

  test('refuse options that are not an object, and a hub that is not a hub', () => {
    expect(refusal(() => make(hub as never, (() => {}) as never))?.[2]).toBe(
      'Expected `options` to be an object, got a function.',
    );
    expect(refusal(() => make({} as never, {} as never))?.slice(0, 2)).toEqual(['hub/invalid-option', 'hub']);
    expect(refusal(() => make(undefined as never, {} as never))?.slice(0, 2)).toEqual([
      'hub/invalid-option',
      'hub',
    ]);
  });
});

test('Options of some transports are refused by the others', () => {
  expect(refusal(() => node(hub, { hijack: true, onError: () => {} }))).toBeUndefined();
  expect(refusal(() => express(hub, { hijack: true }))).toBeUndefined();
  expect(refusal(() => express(hub, { onError: () => {} } as never))?.[1]).toBe('onError');
  expect(refusal(() => fetchSse(hub, { hijack: true } as never))?.[1]).toBe('hijack');
  expect(refusal(() => node(hub, { hijack: 'yes' } as never))?.[1]).toBe('hijack');
  expect(refusal(() => node(hub, { onError: 1 } as never))?.[1]).toBe('onError');
});

test('`gzip` refuses unknown options and levels', () => {
  expect(refusal(() => gzip({ lvl: 9 } as never))).toEqual([
    'hub/invalid-option',
    'lvl',
    'There is no option `lvl`. Did you mean `level`?',
  ]);
  expect(refusal(() => gzip({ level: 10 }))?.[2]).toBe(
    'Expected `level` to be a whole number from 1 to 9, got 10 (number).',
  );
});
