import { describe, expect, test } from 'vitest';
import { describeStatus, INITIAL_STATE, statusFacts } from './status.ts';
import type { StreamState } from './status.ts';

const NOW = 1_000_000;

function label(state: Partial<StreamState>, now = NOW): string {
  return describeStatus({ ...INITIAL_STATE, ...state }, now).label;
}

describe('the status indicator', () => {
  test('begins with connecting and then is live', () => {
    expect(label({})).toBe('Connecting…');
    expect(label({ phase: 'open' })).toBe('Live');
  });

  test('counts down to the next attempt', () => {
    expect(label({ phase: 'waiting', retryAt: NOW + 2_400 })).toBe('Reconnecting in 3 s');
    expect(label({ phase: 'waiting', retryAt: NOW })).toBe('Reconnecting…');
    expect(label({ phase: 'waiting' })).toBe('Reconnecting…');
  });

  test('says offline while there is no network, unless the stream flows all the same', () => {
    expect(label({ phase: 'waiting', offline: true, retryAt: NOW + 9_000 })).toBe('Offline');
    expect(label({ phase: 'open', offline: true })).toBe('Live');
  });

  test('tells of a gap until it is closed, and for a while that it was', () => {
    const gap = { at: NOW, reasons: ['epoch'] };
    expect(label({ phase: 'open', gap })).toBe('Catching up…');
    expect(label({ phase: 'open', gap, caughtUpAt: NOW - 1 })).toBe('Catching up…');
    expect(label({ phase: 'open', gap, caughtUpAt: NOW + 5 }, NOW + 100)).toBe('Live, caught up');
    expect(label({ phase: 'open', gap, caughtUpAt: NOW + 5 }, NOW + 60_000)).toBe('Live');
  });

  test('gives the reason where the stream is refused', () => {
    const text = describeStatus({ ...INITIAL_STATE, phase: 'refused', problem: 'Not for you.' }, NOW);
    expect(text).toEqual({ tone: 'down', label: 'Refused', detail: 'Not for you.' });
  });

  test('lists what is known, and says what is not', () => {
    const facts = new Map(
      statusFacts({ ...INITIAL_STATE, events: 1, gap: { at: NOW - 4_000, reasons: ['trimmed'] } }, NOW),
    );
    expect(facts.get('Received')).toBe('1 event');
    expect(facts.get('Last event')).toBe('none yet');
    expect(facts.get('Last gap')).toBe('4 s ago (trimmed)');
  });
});
