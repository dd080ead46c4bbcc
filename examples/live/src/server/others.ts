import type { Hub } from 'tidings';
import { PAGE_PREFIX } from '../shared/api.ts';
import type { PageViewCounter } from './analytics/page-views.ts';
import type { Viewers } from './analytics/viewers.ts';
import type { Outbox } from './events/outbox.ts';
import type { Feed } from './feed/feed.ts';
import { repeat } from './lib/clock.ts';
import type { Clock } from './lib/clock.ts';
import type { Logger } from './ops/logger.ts';

export interface FollowOthersOptions {
  readonly hub: Hub;
  readonly clock: Clock;
  readonly log: Logger;
  readonly feed: Feed;
  readonly pageViews: PageViewCounter;
  readonly viewers: Viewers;
  readonly outbox: Outbox;
}

const RECOUNT = 2000;
/** Topics of the hub's presence, on the log that all processes share. */
const PRESENCE_OF_PAGES = { pattern: `presence/${PAGE_PREFIX}*` };

/** Learns what other processes that serve the app have done. @returns a function that ends it */
export function followOthers({
  hub,
  clock,
  log,
  feed,
  pageViews,
  viewers,
  outbox,
}: FollowOthersOptions): () => void {
  const abort = new AbortController();

  async function watchPages(): Promise<void> {
    for await (const item of hub.subscribe(PRESENCE_OF_PAGES, { signal: abort.signal })) {
      if (item.kind !== 'state' && item.kind !== 'event') continue;
      viewers.enter(item.topics.map((topic) => topic.slice('presence/'.length)));
    }
  }

  async function recount(): Promise<void> {
    // Events that a process saved before it died are published by whoever comes next.
    await Promise.all([feed.recount(), pageViews.recount(), outbox.publish()]);
  }

  watchPages().catch((error: unknown) => {
    if (!abort.signal.aborted) log.error({ err: error }, 'other processes’ pages not followed');
  });
  const stop = repeat(
    clock,
    () => {
      recount().catch((error: unknown) => log.warn({ err: error }, 'not recounted'));
    },
    RECOUNT,
  );
  return () => {
    abort.abort();
    stop();
  };
}
