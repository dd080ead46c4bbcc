import type { EventInput, Hub } from 'tidings';
import type { Events } from '../../shared/api.ts';
import type { Logger } from '../ops/logger.ts';

/** An event of the app: a type with the data that belongs to it. */
export type Announcement = {
  [T in keyof Events]: {
    topics: string | readonly string[];
    type: T;
    data: Events[T];
    key?: string;
    private?: boolean;
  };
}[keyof Events];

/** Publishes one after the other, nothing in between. */
export type Announce = (...announcements: Announcement[]) => Promise<void>;

/**
 * For figures that live and die with the process. If the hub refuses (while draining, for example), pages get them when
 * they reconnect. The outbox announces changes of the database.
 */
export function createAnnounce(hub: Hub, log: Logger): Announce {
  return async (...announcements) => {
    const events: EventInput[] = announcements;
    try {
      await hub.publishAll(events);
    } catch (error) {
      log.warn({ err: error, types: events.map(({ type }) => type) }, 'events not published');
    }
  };
}
