import { expect, test } from 'vitest';
import { parseBody } from './body.ts';

test('a form has a limited number of fields, since its topics could be half a million', () => {
  const form = (topics: number): Uint8Array => Buffer.from(`${'topics=a&'.repeat(topics)}data=x`);
  expect(parseBody('form', form(1000), 1).events).toHaveLength(1);
  expect(() => parseBody('form', form(2000), 1)).toThrow(
    expect.objectContaining({ code: 'request/body-too-large', status: 413 }),
  );
});
