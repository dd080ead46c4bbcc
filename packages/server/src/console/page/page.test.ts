import { describe, expect, test } from 'vitest';
import * as format from './format.ts';
import { Rates } from './rates.ts';
import { TailBuffer } from './tail-buffer.ts';
import { FrameReader } from './tail-stream.ts';
import { dataIn, tailQuery, topicsIn } from './topics-text.ts';

describe('rates', () => {
  test('are the growth per second between two looks', () => {
    const rates = new Rates();
    expect(rates.look(1000, { published: 10, delivered: 0 })).toEqual({});
    expect(rates.look(3000, { published: 30, delivered: 1 })).toEqual({ published: 10, delivered: 0.5 });
  });

  test('begin anew when the counters do', () => {
    const rates = new Rates();
    rates.look(1000, { published: 10 });
    expect(rates.look(2000, { published: 3 })).toEqual({});
    expect(rates.look(3000, { published: 5 })).toEqual({ published: 2 });
    expect(rates.look(3000, { published: 9 })).toEqual({});
  });
});

describe('the buffer of the tail', () => {
  test('shows the newest, first the last that came', () => {
    const buffer = new TailBuffer<number>(3);
    for (const n of [1, 2, 3, 4]) buffer.add(n);
    expect(buffer.shown).toEqual([4, 3, 2]);
  });

  test('holds back what comes while it is paused, counts it all, and keeps no more than it shows', () => {
    const buffer = new TailBuffer<number>(3);
    buffer.add(1);
    buffer.pause();
    for (const n of [2, 3, 4, 5, 6]) buffer.add(n);
    expect([buffer.shown, buffer.waiting, buffer.isPaused]).toEqual([[1], 5, true]);
    buffer.resume();
    expect([buffer.shown, buffer.waiting, buffer.isPaused]).toEqual([[6, 5, 4], 0, false]);
    buffer.clear();
    expect(buffer.shown).toEqual([]);
  });
});

describe('frames', () => {
  test('are read however the text is cut', () => {
    const text =
      ': tail\n\nevent: event\nid: e.1\ndata: {"data":"a: b"}\n\n:\n\nevent: skipped\ndata: {"count":3}\n\n';
    for (let cut = 0; cut <= text.length; cut += 1) {
      const reader = new FrameReader();
      expect([...reader.feed(text.slice(0, cut)), ...reader.feed(text.slice(cut))]).toEqual([
        { kind: 'event', cursor: 'e.1', value: { data: 'a: b' } },
        { kind: 'skipped', cursor: undefined, value: { count: 3 } },
      ]);
    }
  });
});

describe('what somebody wrote', () => {
  test('as topics may have commas, spaces and patterns', () => {
    expect(topicsIn(' a, b\tc,,')).toEqual(['a', 'b', 'c']);
    expect(tailQuery('news orders/* room/:id')).toBe('topic=news&pattern=orders%2F*&pattern=room%2F%3Aid');
    expect(tailQuery('')).toBe('');
  });

  test('as data is JSON where it is, else text', () => {
    expect([dataIn('{"a":1}'), dataIn('5'), dataIn('five')]).toEqual([{ a: 1 }, 5, 'five']);
  });
});

test('figures are short and have their unit', () => {
  expect([
    format.count(1234),
    format.count(12_345),
    format.rate(undefined),
    format.rate(0.512),
    format.rate(250),
  ]).toEqual(['1,234', '12.3K', '–', '0.51/s', '250/s']);
  expect([format.bytes(512), format.bytes(1536), format.bytes(23.4e6)]).toEqual([
    '512 B',
    '1.54 kB',
    '23.4 MB',
  ]);
  expect([format.latency(0.081), format.latency(12.3), format.latency(1234)]).toEqual([
    '0.081 ms',
    '12 ms',
    '1.2 s',
  ]);
  expect([format.age(5000), format.age(300_000), format.age(1e7), format.age(2e8)]).toEqual([
    '5 s',
    '5 min',
    '2 h',
    '2 d',
  ]);
});
