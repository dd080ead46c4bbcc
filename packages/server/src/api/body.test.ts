import { expect, test } from 'vitest';
import { parseBody } from './body.ts';

test('a form has a limited number of fields, since its topics could be half a million', () => {
  const form = (topics: number): Uint8Array => Buffer.from(`${'topics=a&'.repeat(topics)}data=x`);
  expect(parseBody('form', form(1000), 1).events).toHaveLength(1);
  expect(() => parseBody('form', form(2000), 1)).toThrow(
    expect.objectContaining({ code: 'request/body-too-large', status: 413 }),
  );
});

test('JSON may be nested 200 levels deep, and brackets within text don’t count', () => {
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  const nested = (depth: number): Uint8Array =>
    encode(`{"topics":"a","data":${'['.repeat(depth)}"${'[{'.repeat(500)}\\"["${']'.repeat(depth)}}`);
  expect(parseBody('json', nested(199), 10).events).toHaveLength(1);
  expect(() => parseBody('json', nested(200), 10)).toThrow('nested more than 200 levels');
  expect(() => parseBody('ndjson', encode('['.repeat(1_000_000)), 10)).toThrow('nested more than 200 levels');
  const wide = encode(`{"topics":"a","data":[${'[],'.repeat(1000)}[]]}`);
  expect(parseBody('json', wide, 10).events).toHaveLength(1);
});

test('JSON may have 20,000 values, in one event or in several, and more where batches are larger', () => {
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  const event = (values: number): string => `{"topics":"a","data":[${'1,'.repeat(values - 4)}1]}`;
  const tooMany = expect.objectContaining({ code: 'request/body-too-large', status: 413 });
  expect(parseBody('json', encode(event(20_000)), 10).events).toHaveLength(1);
  expect(() => parseBody('json', encode(event(20_001)), 10)).toThrow(tooMany);
  const lines = (count: number): Uint8Array => encode(`${event(4000)}\n`.repeat(count));
  expect(parseBody('ndjson', lines(5), 10).events).toHaveLength(5);
  expect(() => parseBody('ndjson', lines(6), 10)).toThrow(tooMany);
  expect(parseBody('json', encode(event(40_000)), 2000).events).toHaveLength(1);
  // A long text is one value.
  expect(
    parseBody('json', encode(`{"topics":"a","data":"${',['.repeat(100_000)}"}`), 10).events,
  ).toHaveLength(1);
});
