import { expect, test } from 'vitest';
import { listed } from './origins.ts';

test.each([
  ['http://localhost:5173', true],
  ['http://127.0.0.1', true],
  ['http://[::1]:8080', true],
  ['http://localhost.evil.example', false],
  ['http://127.0.0.1.evil.example', false],
  ['https://evil.example/localhost', false],
  ['null', false],
])('in development mode a page of %s may connect: %s', (origin, expected) => {
  expect(listed([], true)(origin)).toBe(expected);
});

test('elsewhere only listed origins may, to the letter', () => {
  const allows = listed(['https://app.example'], false);
  const others = [
    'https://app.example:444',
    'http://app.example',
    'https://app.example.evil.example',
    'null',
  ];
  expect([allows('https://app.example'), ...others.map(allows)]).toEqual([true, false, false, false, false]);
  expect(listed([], false)('http://localhost:3000')).toBe(false);
  expect(listed(['https://app.example'], true)('http://localhost:3000')).toBe(false);
});
