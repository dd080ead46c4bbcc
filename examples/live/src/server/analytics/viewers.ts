import type { Hub, Matcher } from 'tidings';
import { PAGES, TOPICS } from '../../shared/api.ts';
import type { PageName, PageViewers, ViewersSnapshot } from '../../shared/api.ts';
import { createVersions } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import { inParts } from '../lib/in-parts.ts';
import type { Announce } from '../events/announce.ts';
import { ANY_PAGE, pageOf, pageTopic } from '../events/topics.ts';
import { OTHER } from './page-name.ts';

/** How many people view which page right now. The hub counts them, as present on a topic of each page. */
export interface Viewers {
  /** What a connection that shows this page subscribes to, to be counted. */
  topicsOf(page: PageName): readonly string[];
  /** A connection with these topics has come. */
  enter(topics: readonly Matcher[]): void;
  /** To be called a few times a second: tells what has changed since. */
  tick(): Promise<void>;
  snapshot(): ViewersSnapshot;
}

export interface ViewersOptions {
  readonly hub: Pick<Hub, 'presence'>;
  readonly announce: Announce;
  readonly clock: Clock;
  /** Pages besides this app's own that are told apart; further ones are counted together. */
  readonly maxPages: number;
}

/** Pages of one event. The longest names that a site can have make it 30 KB; the hub takes 64. */
const PAGES_PER_EVENT = 50;
/** Pages of a snapshot: everybody who comes is sent one. */
const MAX_LISTED = 100;
/** They have room whatever other sites do. */
const OWN: ReadonlySet<PageName> = new Set([...Object.keys(PAGES), OTHER]);

export function createViewers({ hub, announce, clock, maxPages }: ViewersOptions): Viewers {
  const nextVersion = createVersions(clock);
  /** Pages that somebody may be viewing, with the number that was told last. */
  const told = new Map<PageName, number>();
  let toldPeople = 0;

  function hasRoom(page: PageName): boolean {
    return told.has(page) || OWN.has(page) || told.size < maxPages;
  }

  const countOn = (page: PageName): number => hub.presence(pageTopic(page)).count;
  const countPeople = (): number => hub.presence(ANY_PAGE).count;

  function findChanges(): PageViewers[] {
    const changed: PageViewers[] = [];
    for (const [page, before] of told) {
      const viewers = countOn(page);
      if (viewers !== before) changed.push({ page, viewers });
      if (viewers === 0) told.delete(page);
      else told.set(page, viewers);
    }
    return changed;
  }

  return {
    topicsOf(page) {
      return [ANY_PAGE, pageTopic(hasRoom(page) ? page : OTHER)];
    },

    enter(topics) {
      const page = pageOf(topics);
      // Others may have taken the room since the topics were chosen.
      if (page !== undefined && hasRoom(page) && !told.has(page)) told.set(page, 0);
    },

    async tick() {
      const pages = findChanges();
      const people = countPeople();
      if (pages.length === 0 && people === toldPeople) return;
      toldPeople = people;
      await announce(
        ...inParts(pages, PAGES_PER_EVENT).map((part) => ({
          topics: TOPICS.viewers,
          type: 'viewers:delta' as const,
          data: { version: nextVersion(), pages: part, people },
        })),
      );
    },

    snapshot() {
      const pages = Array.from(told.keys(), (page) => ({ page, viewers: countOn(page) }))
        .filter(({ viewers }) => viewers > 0)
        .sort((a, b) => b.viewers - a.viewers || compare(a.page, b.page))
        .slice(0, MAX_LISTED);
      return { version: nextVersion(), pages, people: countPeople() };
    },
  };
}

/** By code unit: comparing by language takes a hundred times as long. */
function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
