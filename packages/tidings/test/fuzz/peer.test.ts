import { expect, test } from 'vitest';
import { whyUnanswered } from './peer.ts';

const get = { method: 'GET', framing: 'length', isOdd: false } as const;
const post = { method: 'POST', framing: 'length', isOdd: false } as const;
const chunked = { ...post, framing: 'chunked' } as const;

test.each([
  ['a stream that was ended', [get], 0, 'ended'],
  ['a request behind such a stream', [get, post], 1, 'ended'],
  ['a body of unknown length that was refused', [chunked], 0, 'ended'],
  ['a request ahead of a stream', [post, get], 0, 'closed'],
  ['a request alone', [post], 0, 'closed'],
  ['what no parser can read', [{ ...post, isOdd: true }], 0, 'odd'],
] as const)('The fuzzer takes the missing answer to %s for what it is', (_, batch, n, why) => {
  expect(whyUnanswered(batch, n)).toBe(why);
});
