import { describe, expect, it } from 'vitest';
import {
  readCredentials,
  readExpiring,
  readGaps,
  readGoodbye,
  readTopics,
  readWelcome,
  UNANNOUNCED,
} from './read-control.ts';

describe('a notice', () => {
  it('is read as the server sent it', () => {
    const gaps = [{ topics: ['a', { pattern: 'b/*' }], reason: 'trimmed' }];
    const welcome = { connection: 'c1', resumed: true, gaps, heartbeat: 15_000 };
    expect(readWelcome(JSON.stringify(welcome))).toEqual(welcome);
    expect(readGaps(JSON.stringify({ gaps }))).toEqual(gaps);
    expect(readGoodbye(JSON.stringify({ reason: 'drain', retry: 0 })).retry).toBe(0);
    expect(readTopics('{"topics":["a",{"pattern":"b/*"}]}')).toEqual(['a', { pattern: 'b/*' }]);
    expect(readExpiring('{"within":841}')).toBe(841);
  });

  it('keeps the secret from the app', () => {
    const data = JSON.stringify({ connection: 'c1', secret: 's', resumed: true, gaps: [] });
    expect(readCredentials(data)).toEqual({ connection: 'c1', secret: 's' });
    expect(readWelcome(data)).not.toHaveProperty('secret');
    expect(readCredentials('{"connection":"c1"}')).toBeUndefined();
  });

  it('that is malformed counts as empty', () => {
    for (const data of [
      '',
      '{',
      'null',
      '1',
      '"text"',
      '[]',
      '{"gaps":1,"heartbeat":"15","retry":-1,"resumed":1}',
    ]) {
      expect(readWelcome(data)).toEqual(UNANNOUNCED);
      expect(readGaps(data)).toEqual([]);
      expect(readGoodbye(data).retry).toBeUndefined();
      expect(readCredentials(data)).toBeUndefined();
      expect(readTopics(data)).toEqual([]);
      expect(readExpiring(data)).toBe(0);
    }
  });

  it('cannot announce a heartbeat of zero', () => {
    expect(readWelcome('{"heartbeat":0}')).toEqual(UNANNOUNCED);
  });
});
