import { describe, expect, test } from 'vitest';
import { announce, describeStatus, INITIAL_STATE, statusFacts } from './status.ts';
import type { Announcement, StreamState } from './status.ts';

const NOW = 1_000_000;

function label(state: Partial<StreamState>, now = NOW): string {
  return describeStatus({ ...INITIAL_STATE, ...state }, now).label;
}

describe('the status indicator', () => {
  test('starts as connecting, then is live', () => {
    expect(label({})).toBe('Connecting…');
    expect(label({ phase: 'open' })).toBe('Live');
  });

  test('shows that a heartbeat is overdue, and is live again with the next', () => {
    const open = { phase: 'open', heartbeat: 15_000 } as const;
    expect(label({ ...open, heardAt: NOW - 16_000 })).toBe('Live');
    expect(label({ ...open, heardAt: NOW - 18_500 })).toBe('Silent for 18 s');
    expect(label({ ...open, heardAt: NOW })).toBe('Live');
    expect(label({ phase: 'open', heardAt: NOW - 60_000 })).toBe('Live');
  });

  test('counts down to the next attempt', () => {
    expect(label({ phase: 'waiting', retryAt: NOW + 2_400 })).toBe('Reconnecting in 3 s');
    expect(label({ phase: 'waiting', retryAt: NOW })).toBe('Reconnecting…');
    expect(label({ phase: 'waiting' })).toBe('Reconnecting…');
  });

  test('says offline while there is no network, unless the stream still flows', () => {
    expect(label({ phase: 'waiting', offline: true, retryAt: NOW + 9_000 })).toBe('Offline');
    expect(label({ phase: 'open', offline: true })).toBe('Live');
  });

  test('shows a gap until it is closed, and then for a while that it was closed', () => {
    const gap = { at: NOW, reasons: ['epoch'] };
    expect(label({ phase: 'open', gap })).toBe('Catching up…');
    expect(label({ phase: 'open', gap, caughtUpAt: NOW - 1 })).toBe('Catching up…');
    expect(label({ phase: 'open', gap, caughtUpAt: NOW + 5 }, NOW + 100)).toBe('Live, caught up');
    expect(label({ phase: 'open', gap, caughtUpAt: NOW + 5 }, NOW + 60_000)).toBe('Live');
  });

  test('shows no alarm while the page is hidden, with or without a network', () => {
    expect(describeStatus({ ...INITIAL_STATE, phase: 'resting' }, NOW)).toMatchObject({
      tone: 'busy',
      label: 'Resting',
    });
    expect(label({ phase: 'resting', offline: true })).toBe('Resting');
  });

  test('gives the reason when the stream is refused', () => {
    const text = describeStatus({ ...INITIAL_STATE, phase: 'refused', problem: 'Not for you.' }, NOW);
    expect(text).toEqual({ tone: 'down', label: 'Refused', detail: 'Not for you.' });
  });

  test('lists known details, and names the unknown ones', () => {
    const facts = new Map(
      statusFacts({ ...INITIAL_STATE, events: 1, gap: { at: NOW - 4_000, reasons: ['trimmed'] } }, NOW),
    );
    expect(facts.get('Received')).toBe('1 event');
    expect(facts.get('Last event')).toBe('none yet');
    expect(facts.get('Last gap')).toBe('4 s ago (trimmed)');
  });
});

describe('a screen reader', () => {
  const nothing: Announcement = { words: '' };

  /** The announcements over these phases, each one millisecond, or the given number, after the one before. */
  function heard(...phases: (StreamState['phase'] | number)[]): string[] {
    let now = NOW;
    let phase: StreamState['phase'] = 'connecting';
    let last = nothing;
    const words: string[] = [];
    for (const step of phases) {
      if (typeof step === 'number') now += step;
      else phase = step;
      const next = announce(last, describeStatus({ ...INITIAL_STATE, phase }, now), now);
      if (next.words !== last.words) words.push(next.words);
      last = next;
    }
    return words;
  }
  const LOST = 'The connection was lost. The page catches up once it is back.';

  test('hears nothing when a page opens its stream, or opens it anew', () => {
    expect(heard('connecting', 'open', 5_000, 'connecting', 'open')).toEqual([]);
    expect(heard('open', 30_000, 'resting', 60_000, 'connecting', 1_000, 'open')).toEqual([]);
  });

  test('hears of an interruption once it lasts, and of its end', () => {
    expect(heard('open', 'waiting', 1_000, 'open')).toEqual([]);
    expect(heard('open', 'waiting', 1_000, 1_000, 1_000, 'open')).toEqual([LOST, 'Live again.']);
    expect(heard('open', 'waiting', 3_000, 'connecting', 3_000, 'open')).toEqual([LOST, 'Live again.']);
  });

  test('hears that the stream has ended', () => {
    expect(heard('open', 'waiting', 3_000, 'ended')).toEqual([
      LOST,
      'The server ended this stream for good.',
    ]);
  });

  test('hears of each interruption separately', () => {
    expect(heard('waiting', 3_000, 'open', 9_000, 'waiting', 1_000, 'open', 'waiting', 3_000)).toEqual([
      LOST,
      'Live again.',
      LOST,
    ]);
  });
});
