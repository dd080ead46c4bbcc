import type { Events, Notification, NotificationList } from '../../shared/api.ts';

/** The notifications a page knows of. */
export interface Notices {
  /** Newest first. */
  readonly list: readonly Notification[];
  readonly unread: number;
}

export const NO_NOTICES: Notices = { list: [], unread: 0 };

/** More than the panel would ever show. */
const KEPT = 50;

export function listed(answer: NotificationList): Notices {
  return { list: answer.notifications, unread: answer.unread };
}

/** A mention arrived; one that is already known changes nothing. */
export function mentioned(notices: Notices, notice: Notification): Notices {
  if (notices.list.some((known) => known.id === notice.id)) return notices;
  const list = [...notices.list, notice].toSorted((left, right) => right.id - left.id).slice(0, KEPT);
  return { list, unread: notices.unread + (notice.read ? 0 : 1) };
}

/** They were read, here or in another tab. */
export function counted(notices: Notices, event: Events['notifications:unread']): Notices {
  const upTo = event.readUpTo ?? 0;
  const list = notices.list.map((notice) => (notice.id <= upTo ? { ...notice, read: true } : notice));
  return { list, unread: event.unread };
}
