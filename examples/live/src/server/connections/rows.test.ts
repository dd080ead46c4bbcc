import { expect, test } from 'vitest';
import { maskAddress, nameAgent, toRow } from './rows.ts';

test.each([
  ['192.0.2.17', '192.0.2.x'],
  ['::ffff:192.0.2.17', '192.0.2.x'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1::x'],
  ['2001:db8::1', '2001:db8::x'],
  ['::1', 'localhost'],
  ['127.0.0.1', 'localhost'],
  ['::ffff:127.0.1.1', 'localhost'],
  ['::', '::x'],
  ['::1:2', '::x'],
  [undefined, 'unknown'],
])('the address %s is shown as %s', (address, shown) => {
  expect(maskAddress(address)).toBe(shown);
});

test.each([
  [
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
    'Chrome 142',
  ],
  [
    'Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0',
    'Edge 142',
  ],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', 'Firefox 145'],
  ['Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Version/26.0 Mobile/15E148 Safari/604.1', 'Safari 26'],
  ['curl/8.5.0', 'curl 8'],
  ['node', 'Node.js'],
  ['', 'unknown'],
  ['<script>', 'other'],
])('%s is named', (userAgent, name) => {
  expect(nameAgent(userAgent)).toBe(name);
});

test('a browser with a version of eight thousand digits gets no row of eight thousand characters', () => {
  expect(nameAgent(`Mozilla/5.0 Chrome/${'9'.repeat(8000)}`)).toBe('Chrome 9999');
});

test('a row reveals no user, no private topic and no page', () => {
  const row = toRow({
    id: 'c1',
    subject: '42',
    remote: '192.0.2.17',
    userAgent: 'curl/8.5.0',
    protocol: 'HTTP/1.1',
    topics: ['posts', 'user/42', 'pages', 'page//feed'],
    phase: 'live',
    lag: 0,
    bytes: 100,
    connectedAt: 5,
  });
  expect(row).toEqual({
    id: 'c1',
    connectedAt: 5,
    remote: '192.0.2.x',
    signedIn: true,
    topics: ['posts', 'user/…'],
    state: 'live',
    lag: 0,
    bytes: 100,
    protocol: 'HTTP/1.1',
    agent: 'curl 8',
  });
  expect(JSON.stringify(row)).not.toMatch(/42|page/);
});
