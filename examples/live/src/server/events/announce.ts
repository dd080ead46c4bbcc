import type { EventInput, Hub } from 'tidings';
import type { Events } from '../../shared/api.ts';
import type { Logger } from '../ops/logger.ts';

/** An event of the app: a type with the data that belongs to it. */
export type Announcement = {
  [T in keyof Events]: { topics: string | readonly string[]; type: T; data: Events[T]; private?: boolean };
}[keyof Events];

/** Publishes one after the other, nothing in between. */
export type Announce = (...announcements: Announcement[]) => Promise<void>;

/**
 * Publishing as this app does it: once something is saved, and so without failing. Should the hub refuse (it is
 * draining, say), the request has done its work all the same, and pages catch up when they connect again.
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
