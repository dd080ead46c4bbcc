import { ROUTES, userTopic } from '../../shared/api.ts';
import type { Notification, NotificationList, ReadUpTo, UnreadCount } from '../../shared/api.ts';
import { plural } from '../lib/format.ts';
import { fullTime, timeAgo } from '../lib/time.ts';
import { ask, words } from '../lib/http.ts';
import type { Stream } from '../live/stream.ts';
import { setAvatar } from '../ui/avatar.ts';
import { element, keyedList, need, setAttribute, setText } from '../ui/dom.ts';
import { showToast } from '../ui/toast.ts';
import type { Account } from './account.ts';
import { counted, listed, mentioned, NO_NOTICES } from './notices.ts';

export interface Bell {
  /** The topics it needs. */
  topics(): readonly string[];
  /** Fetches the list; the answer's cursor is where to subscribe from. */
  load(): Promise<string | undefined>;
}

/** The bell with its count, the list behind it, and a toast for each mention. */
export function createBell(account: Account, stream: Stream): Bell {
  const button = need(document, '.bell', HTMLButtonElement);
  const count = need(button, '.bell-count', HTMLElement);
  const panel = need(document, '#bell-panel', HTMLElement);
  const empty = need(panel, '[data-bell-empty]', HTMLElement);
  const list = keyedList<Notification, HTMLElement>(
    need(panel, '.notices', HTMLElement),
    (notice) => notice.id,
    createNotice,
    (item, notice) => updateNotice(item, notice, shownAsNew.has(notice.id)),
  );
  /** Unread when the list was opened: marked as new until it is closed. */
  const shownAsNew = new Set<number>();
  let notices = NO_NOTICES;
  /** Takes away the toast of a notification, by its id. */
  const toasts = new Map<number, () => void>();

  /** Notices that were read, here or elsewhere, need no toast any more. */
  function dismissUpTo(id: number): void {
    for (const [toastId, dismiss] of toasts) {
      if (toastId > id) continue;
      dismiss();
      toasts.delete(toastId);
    }
  }

  function draw(): void {
    button.hidden = account.user() === null;
    count.hidden = notices.unread === 0;
    setText(count, notices.unread > 99 ? '99+' : String(notices.unread));
    setAttribute(button, 'aria-label', `Notifications, ${plural(notices.unread, 'unread', 'unread')}`);
    if (!panel.matches(':popover-open')) return;
    for (const notice of notices.list) if (!notice.read) shownAsNew.add(notice.id);
    empty.hidden = notices.list.length > 0;
    list.show(notices.list);
  }

  /** Opening the list marks it as read, and closing it marks later arrivals. */
  async function markRead(): Promise<void> {
    const newest = notices.list[0];
    if (newest === undefined || notices.unread === 0) return;
    dismissUpTo(newest.id);
    const body: ReadUpTo = { upTo: newest.id };
    const session = account.session();
    const { unread } = await ask<UnreadCount>('PUT', ROUTES.notificationsRead, body);
    if (session.aborted) return;
    notices = { ...notices, unread };
    draw();
  }

  account.onChange(() => {
    notices = NO_NOTICES;
    dismissUpTo(Infinity);
    if (panel.matches(':popover-open')) panel.hidePopover();
    draw();
  });
  panel.addEventListener('toggle', (event) => {
    if (event.newState === 'closed') shownAsNew.clear();
    draw();
    markRead().catch((error: unknown) => showToast(words(error), { tone: 'bad' }));
  });
  stream.on('mention', (notice) => {
    const before = notices;
    notices = mentioned(notices, notice);
    draw();
    if (notices === before || notice.read) return;
    const open = (): void => location.assign(linkTo(notice));
    const text = `${notice.from.name} mentioned you: ${excerpt(notice.post.text)}`;
    toasts.set(notice.id, showToast(text, { action: { label: 'Show', run: open } }));
  });
  stream.on('notifications:unread', (event) => {
    notices = counted(notices, event);
    dismissUpTo(event.readUpTo ?? 0);
    draw();
  });

  return {
    topics() {
      const user = account.user();
      return user === null ? [] : [userTopic(user.id)];
    },
    async load() {
      const answer =
        account.user() === null
          ? undefined
          : await ask<NotificationList>('GET', ROUTES.notifications, undefined, account.session());
      notices = answer === undefined ? NO_NOTICES : listed(answer);
      draw();
      return answer?.cursor;
    },
  };
}

function linkTo(notice: Notification): string {
  return `/feed#post-${notice.post.id}`;
}

function excerpt(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function createNotice(notice: Notification): HTMLElement {
  const item = element('li');
  const link = element('a', 'notice');
  link.href = linkTo(notice);
  link.dataset['testid'] = 'notification';
  const avatar = element('span', 'avatar avatar-small');
  avatar.setAttribute('aria-hidden', 'true');
  setAvatar(avatar, notice.from.name);
  const body = element('span', 'notice-body');
  const time = element('time', 'notice-time');
  time.dateTime = new Date(notice.createdAt).toISOString();
  time.title = fullTime(notice.createdAt);
  body.append(
    element('strong', '', notice.from.name),
    ' mentioned you ',
    time,
    element('span', 'notice-text', notice.post.text),
  );
  link.append(avatar, body);
  // The panel covers the post it leads to, if that is on this page.
  link.addEventListener('click', () => need(document, '#bell-panel', HTMLElement).hidePopover());
  item.append(link);
  return item;
}

function updateNotice(item: HTMLElement, notice: Notification, isNew: boolean): void {
  const link = need(item, '.notice', HTMLAnchorElement);
  link.toggleAttribute('data-new', isNew);
  setText(need(link, 'time', HTMLTimeElement), timeAgo(notice.createdAt, Date.now()));
}
