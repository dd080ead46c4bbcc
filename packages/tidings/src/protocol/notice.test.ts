import { describe, expect, it } from 'vitest';
import { readNotice } from './notice.ts';

const EMPTY = { resumed: false, gaps: [], topics: [] };

describe('a notice', () => {
  it('is read as the server sent it', () => {
    const gaps = [{ topics: ['a', { pattern: 'b/*' }], reason: 'trimmed' }];
    const welcome = { connection: 'c1', secret: 's', resumed: true, gaps, heartbeat: 15_000, audience: 'x' };
    expect(readNotice(JSON.stringify(welcome))).toMatchObject(welcome);
    expect(readNotice(JSON.stringify({ reason: 'drain', retry: 0 }))).toMatchObject({
      reason: 'drain',
      retry: 0,
    });
    expect(readNotice('{"topics":["a",{"pattern":"b/*"}]}').topics).toEqual(['a', { pattern: 'b/*' }]);
    expect(readNotice('{"within":841}').within).toBe(841);
  });

  it('that is malformed counts as empty', () => {
    for (const data of ['', '{', 'null', '1', '"text"', '[]']) expect(readNotice(data)).toEqual(EMPTY);
    const wrong =
      '{"gaps":1,"topics":"a","heartbeat":"15","retry":-1,"within":1e999,"resumed":1,"secret":{},"audience":7}';
    expect(readNotice(wrong)).toEqual(EMPTY);
  });

  it('cannot announce a heartbeat of zero', () => {
    expect(readNotice('{"heartbeat":0}')).toEqual(EMPTY);
  });
});
