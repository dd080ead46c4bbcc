import { expect, test } from 'vitest';
import type { Notification } from '../../shared/api.ts';
import { counted, mentioned, NO_NOTICES } from './notices.ts';

function notice(id: number, read = false): Notification {
  return { id, type: 'mention', from: { id: 1, name: 'ada' }, post: { id, text: 'hi' }, createdAt: id, read };
}

test('a mention comes first and counts as unread', () => {
  const notices = mentioned(mentioned(NO_NOTICES, notice(1)), notice(2));
  expect(notices.list.map(({ id }) => id)).toEqual([2, 1]);
  expect(notices.unread).toBe(2);
});

test('a repeated mention counts once', () => {
  const once = mentioned(NO_NOTICES, notice(1));
  expect(mentioned(once, notice(1))).toBe(once);
});

test('reading in another tab marks all notices up to there as read', () => {
  const notices = mentioned(mentioned(NO_NOTICES, notice(1)), notice(2));
  const after = counted(notices, { unread: 1, readUpTo: 1 });
  expect(after.unread).toBe(1);
  expect(after.list.map(({ read }) => read)).toEqual([false, true]);
});

test('a new count without reading leaves the marks alone', () => {
  const after = counted(mentioned(NO_NOTICES, notice(1)), { unread: 0, readUpTo: null });
  expect(after).toEqual({ list: [notice(1)], unread: 0 });
});
