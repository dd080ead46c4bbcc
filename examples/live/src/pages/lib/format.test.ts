import { describe, expect, test } from 'vitest';
import { formatBytes, formatByteRate, formatCount, formatMs, formatRate, plural, UNKNOWN } from './format.ts';

describe('formatting', () => {
  test('an unknown figure is a dash, never a zero', () => {
    for (const format of [formatCount, formatRate, formatBytes, formatByteRate, formatMs]) {
      expect(format(null)).toBe(UNKNOWN);
      expect(format(undefined)).toBe(UNKNOWN);
    }
  });

  test('counts are grouped, and shortened from ten thousand on unless they have to be exact', () => {
    expect(formatCount(0)).toBe('0');
    expect(formatCount(9_999)).toBe('9,999');
    expect(formatCount(12_345)).toBe('12.3K');
    expect(formatCount(12_345, true)).toBe('12,345');
  });

  test('bytes go up in steps of a thousand and never show as 1000 of a unit', () => {
    expect(formatBytes(0)).toBe('0 B');
    expect(formatBytes(999)).toBe('999 B');
    expect(formatBytes(1_500)).toBe('1.5 kB');
    expect(formatBytes(999_700)).toBe('1 MB');
    expect(formatBytes(23_400_000)).toBe('23.4 MB');
    expect(formatByteRate(2_000)).toBe('2 kB/s');
  });

  test('rates keep two digits', () => {
    expect(formatRate(0.998)).toBe('1/s');
    expect(formatRate(3.14)).toBe('3.1/s');
    expect(formatRate(1_234.5)).toBe('1,235/s');
  });

  test('latencies turn into seconds from one second on', () => {
    expect(formatMs(0.084)).toBe('0.08 ms');
    expect(formatMs(12.34)).toBe('12.3 ms');
    expect(formatMs(1_250)).toBe('1.25 s');
  });

  test('one is singular, nothing and many are plural', () => {
    expect(plural(1, 'viewer')).toBe('1 viewer');
    expect(plural(0, 'viewer')).toBe('0 viewers');
    expect(plural(2, 'person', 'people')).toBe('2 people');
  });
});
