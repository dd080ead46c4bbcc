import { describe, expect, test } from 'vitest';
import { toNewEvent } from './event.ts';
import { tagOf, tagsOf, topicOfTag, withoutTags } from './tags.ts';

function topicsOf(tags: Record<string, string>): readonly [string, ...string[]] {
  return toNewEvent({ topics: ['a', 'b'], data: 1, tags }).topics;
}

describe('tags', () => {
  test('go with the event’s topics and are told apart from them', () => {
    const topics = topicsOf({ id: 'urn:1', retry: '3000' });
    expect(topics).toHaveLength(4);
    expect(withoutTags(topics)).toEqual(['a', 'b']);
    expect(tagsOf(topics)).toEqual({ id: 'urn:1', retry: '3000' });
    expect(tagOf(topics, 'id')).toBe('urn:1');
    expect(tagOf(topics, 'retry')).toBe('3000');
    expect(tagOf(topics, 'retr')).toBeUndefined();
  });

  test('may have "=" in their values', () => {
    expect(tagOf(topicsOf({ id: 'a=b=c' }), 'id')).toBe('a=b=c');
  });

  test.each([
    ['a name with a capital', { Id: 'x' }],
    ['a name with "="', { 'i=d': 'x' }],
    ['an empty value', { id: '' }],
    ['a control character', { id: 'a\nb' }],
    ['a lone surrogate', { id: '\ud800' }],
    ['a value that is too long', { id: 'x'.repeat(256) }],
    ['a value that is no text', { id: 5 as never }],
    ['too many of them', Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`t${i}`, 'x']))],
  ])('are refused with %s', (_, tags) => {
    expect(() => topicsOf(tags)).toThrow(expect.objectContaining({ code: 'event/invalid-option' }));
  });

  test('are refused on an event with a key, whose newer values would leave them behind', () => {
    expect(() => toNewEvent({ topics: 'a', data: 1, key: 'k', tags: { id: 'x' } })).toThrow(
      expect.objectContaining({ code: 'event/invalid-option' }),
    );
  });

  test('have no topic if no event can have them', () => {
    expect(topicOfTag('id', '')).toBeUndefined();
    expect(topicOfTag('id', 'a\u0000')).toBeUndefined();
    expect(topicOfTag('id', 'x')).toBeDefined();
  });

  test('can’t be forged as a topic', () => {
    expect(() => toNewEvent({ topics: topicOfTag('id', 'x') as string, data: 1 })).toThrow(
      expect.objectContaining({ code: 'topic/invalid' }),
    );
  });
});
