import { describe, expect, test } from 'vitest';
import { type MemoryLogOptions, createHub, memoryLog } from '../src/index.ts';
import { type LmdbLogOptions, lmdbLog } from '../src/logs/lmdb/index.ts';

describe('options that would keep nothing, or never end', () => {
  const invalid = expect.objectContaining({ code: 'hub/invalid-option' }) as Error;

  test.each([{ events: NaN }, { bytes: -1 }, { age: '1' as unknown as number }])(
    'retention %o is refused',
    (retention) => {
      expect(() => memoryLog({ retention })).toThrow(invalid);
      expect(() => memoryLog({ topics: [{ match: 'a', retention }] })).toThrow(invalid);
    },
  );

  test.each([NaN, -1, Infinity])('an interval of %d is refused', (interval) => {
    expect(() => memoryLog({ topics: [{ match: 'a', state: true, interval }] })).toThrow(invalid);
  });

  test.each([
    [{ retension: {} }, 'retension', /Did you mean `retention`/],
    [{ retention: { event: 3 } }, 'retention.event', /Did you mean `retention.events`/],
    [{ retention: [] }, 'retention', /to be an object, got a list/],
    [{ topics: { match: 'a' } }, 'topics', /to be a list, got an object/],
    [{ topics: [{ match: 'a', latest: true }] }, 'topics[0].latest', /no option/],
    [{ topics: [{ match: 'a', state: 'yes' }] }, 'topics[0].state', /true or false/],
    [{ topics: [{ state: true }] }, 'topics[0].match', /needs `match`/],
    [{ topics: [{ match: 'a', interval: 5 }] }, 'topics[0].interval', /needs `state: true`/],
    [{ topics: [{ match: 'a', retention: { age: -1 } }] }, 'topics[0].retention.age', /≥ 0/],
    [{ now: 5 }, 'now', /a function/],
    [{ now: () => Promise.resolve(5) }, 'now', /can't be an async function/],
    [{ now: () => '5' }, 'now', /milliseconds since 1970, got "5"/],
    [{ epoch: 5 }, 'epoch', /a non-empty string/],
  ])('of a log, %o are refused', (options, option, message) => {
    const refusal = expect.objectContaining({
      code: 'hub/invalid-option',
      details: { option },
      message: expect.stringMatching(message) as string,
    }) as Error;
    expect(() => memoryLog(options as unknown as MemoryLogOptions)).toThrow(refusal);
    if (option === 'epoch') return;
    // Refused before the folder is touched.
    const path = '/nonexistent/log';
    expect(() => lmdbLog({ path, ...(options as object) })).toThrow(refusal);
  });

  test('an LMDB log without a folder is refused', () => {
    for (const path of [undefined, '', 5]) expect(() => lmdbLog({ path: path as string })).toThrow(invalid);
    expect(() => lmdbLog(undefined as unknown as LmdbLogOptions)).toThrow(invalid);
  });

  test('a `retry` that isn’t a number is refused before any connection ends', () => {
    expect(() => createHub().disconnect(() => true, { retry: NaN })).toThrow(invalid);
  });
});
