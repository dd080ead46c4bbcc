import { expect, it } from 'vitest';
import { changeUrl, streamUrl, takeTopics } from './url.ts';

it('of a stream names topics, patterns and, for a first connect, the cursor', () => {
  const url = new URL(streamUrl('http://localhost/events?x=1', ['a&b=c ü', { pattern: 'user/:id' }], 'a.7'));
  expect([...url.searchParams]).toEqual([
    ['x', '1'],
    ['topic', 'a&b=c ü'],
    ['pattern', 'user/:id'],
    ['last_event_id', 'a.7'],
  ]);
});

it('gives its topics back', () => {
  const url = new URL(streamUrl('http://localhost/events?x=1', ['a', { pattern: 'b/*' }]));
  expect(takeTopics(url)).toEqual(['a', { pattern: 'b/*' }]);
  expect(url.href).toBe('http://localhost/events?x=1');
});

it('is left as it was written if it names none', () => {
  const url = new URL('http://localhost/events?q=a%20b');
  expect(takeTopics(url)).toEqual([]);
  expect(url.href).toBe('http://localhost/events?q=a%20b');
  expect(changeUrl(url.href)).toBe(url.href);
});

it('of a change has no cursor', () => {
  expect(changeUrl('http://localhost/events?x=1&last_event_id=a.1')).toBe('http://localhost/events?x=1');
});
