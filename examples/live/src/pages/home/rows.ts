import type { Events } from '../../shared/api.ts';
import type { Receipt } from '../live/stream.ts';

/** A line of the tape: an event, or several of one type in a row. */
export interface TapeRow {
  readonly number: number;
  readonly type: string;
  readonly at: number;
  readonly count: number;
  /** UTF-16 units of all of them. */
  readonly size: number;
  /** Of the last one. */
  readonly data: string;
}

/** Newest first. Figures come several times a second: without this, nothing else could be read. */
export function addReceipt(rows: readonly TapeRow[], { type, at, data }: Receipt, most: number): TapeRow[] {
  const [newest, ...older] = rows;
  if (newest?.type === type) {
    return [{ ...newest, at, data, count: newest.count + 1, size: newest.size + data.length }, ...older];
  }
  const row = { number: (newest?.number ?? 0) + 1, type, at, data, count: 1, size: data.length };
  return [row, ...rows].slice(0, most);
}

const WORDS: Readonly<Partial<Record<keyof Events, string>>> = {
  'dashboard:snapshot': 'where the figures stand, with their last half hour',
  'dashboard:delta': 'figures of the server process that have changed',
  'dashboard:nodes': 'the processes that serve this app',
  'viewers:snapshot': 'who views which page',
  'viewers:delta': 'somebody opened or left a page',
  'pageviews:delta': 'a page was loaded',
  post: 'somebody wrote a post',
  'post:liked': 'somebody likes a post, or no longer does',
  'post:deleted': 'a post is gone',
  mention: 'somebody mentioned you; only you got this',
  'notifications:unread': 'your unread notifications; only you got this',
};

/** Words for the events of a type. */
export function wordsFor(type: string): string {
  return WORDS[type as keyof Events] ?? '';
}

const EXCERPT = 240;

/** The beginning of a payload. */
export function excerpt(data: string): string {
  return data.length > EXCERPT ? `${data.slice(0, EXCERPT)}…` : data;
}
