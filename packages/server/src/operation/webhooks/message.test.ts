import type { ConsumedEvent } from 'tidings';
import { describe, expect, test } from 'vitest';
import { HOOK_EVENTS, type HookEvent } from './hook.ts';
import { messageOf } from './message.ts';

function event(topic: string, type: string, data: unknown): ConsumedEvent {
  return {
    topics: [topic],
    type,
    data: JSON.stringify(data),
    id: undefined,
    key: undefined,
    tags: {},
    tombstone: false,
    private: true,
    seq: 1,
    time: 0,
    cursor: 'e.1',
    json: <T>() => data as T,
  };
}

function presence(count: number, events: readonly HookEvent[], wasOccupied: boolean): string | undefined {
  const given = event('presence/room/1', 'presence', { topic: 'room/1', count, members: [] });
  return messageOf(given, { events, concerns: () => true }, () => wasOccupied)?.type;
}

describe('the message about presence', () => {
  test('has the type of the turn where the hook asks for it', () => {
    expect(presence(1, HOOK_EVENTS, false)).toBe('topic-occupied');
    expect(presence(2, HOOK_EVENTS, true)).toBe('presence');
    expect(presence(0, HOOK_EVENTS, true)).toBe('topic-empty');
  });

  test('is one of presence where it asks for that alone, and none where it asks for neither', () => {
    expect(presence(0, ['presence'], true)).toBe('presence');
    expect(presence(1, ['presence', 'topic-empty'], false)).toBe('presence');
    expect(presence(1, ['topic-empty'], false)).toBeUndefined();
    expect(presence(2, ['topic-occupied'], true)).toBeUndefined();
    expect(presence(2, ['connect'], true)).toBeUndefined();
  });

  test('is left out for topics that the hook is not about', () => {
    const given = event('presence/room/1', 'presence', { topic: 'room/1', count: 1, members: [] });
    expect(messageOf(given, { events: HOOK_EVENTS, concerns: () => false }, () => false)).toBeUndefined();
  });
});

describe('the message about a connection', () => {
  const record = { connection: 'c', protocol: 'HTTP/1.1', topics: ['a', 'b'] };

  test('has what is on the log', () => {
    const given = event('tidings/connections', 'disconnect', { ...record, reason: 'left' });
    expect(messageOf(given, { events: ['disconnect'], concerns: () => true }, () => false)).toEqual({
      type: 'disconnect',
      timestamp: '1970-01-01T00:00:00.000Z',
      data: { ...record, reason: 'left' },
    });
  });

  test('is for hooks about one of its topics; a pattern may be any of them', () => {
    const concerns = (topic: string) => topic === 'b';
    const about = (topics: readonly unknown[]) =>
      messageOf(
        event('tidings/connections', 'connect', { ...record, topics }),
        { events: ['connect'], concerns },
        () => false,
      );
    expect(about(['a', 'b'])).toBeDefined();
    expect(about(['a'])).toBeUndefined();
    expect(about(['a', { pattern: 'c/*' }])).toBeDefined();
    expect(
      messageOf(
        event('tidings/connections', 'connect', record),
        { events: ['disconnect'], concerns },
        () => false,
      ),
    ).toBeUndefined();
  });
});
