import type { Hub, HubStats, Matcher } from 'tidings';
import { ANY_PAGE, PAGES, TOPICS, countingTopics } from '../../shared/api.ts';
import type { PageName, PageViewers, ViewersSnapshot } from '../../shared/api.ts';
import { inParts } from '../lib/in-parts.ts';
import type { Announce } from '../events/announce.ts';
import { pagesOf } from '../events/topics.ts';
import { OTHER } from './page-name.ts';

/** How many people view which page right now. The hub counts them, as present on a topic of each page. */
export interface Viewers {
  /** The topics that count a connection as a viewer of this page. */
  topicsOf(page: PageName): readonly string[];
  /** A connection with these topics has come, here or elsewhere. */
  enter(topics: readonly Matcher[]): void;
  /** Call it a few times a second: publishes the changes since the last call, if this process leads. */
  tick(): Promise<void>;
  snapshot(): ViewersSnapshot;
}

export interface ViewersOptions {
  readonly hub: Pick<Hub, 'presence'> & { readonly stats: () => Pick<HubStats, 'tail'> };
  readonly announce: Announce;
  /** Whether this process publishes for all that count the same viewers. */
  readonly leads: () => boolean;
  /** Whether others may have published before. */
  readonly shared: boolean;
  /** How many pages, in addition to this app's own, are counted separately; others are counted together. */
  readonly maxPages: number;
}

/** Pages of one event. The longest names that a site can have make it 30 KB; the hub takes 64. */
const PAGES_PER_EVENT = 50;
/** The most pages in a snapshot: every new connection gets one. */
const MAX_LISTED = 100;
/** They always have room, regardless of other sites. */
const OWN: ReadonlySet<PageName> = new Set([...Object.keys(PAGES), OTHER]);

export function createViewers({ hub, announce, leads, shared, maxPages }: ViewersOptions): Viewers {
  /** Pages that may have viewers, with the last published number. Own ones may get some without a new connection. */
  const told = new Map<PageName, number>(Array.from(OWN, (page) => [page, 0]));
  let toldPeople = 0;
  /** Whether it was this process that published last. */
  let led = !shared;

  /** Counts are sums over the log up to here, in every process. */
  const version = (): number => hub.stats().tail.head;

  function hasRoom(page: PageName): boolean {
    return told.has(page) || told.size < OWN.size + maxPages;
  }

  const countOn = (page: PageName): number => hub.presence(countingTopics(page)[1]).count;
  const countPeople = (): number => hub.presence(ANY_PAGE).count;

  /** @param all also pages whose number is the same: another process may have published others */
  function findChanges(all: boolean): PageViewers[] {
    const changed: PageViewers[] = [];
    for (const [page, before] of told) {
      const viewers = countOn(page);
      if (all || viewers !== before) changed.push({ page, viewers });
      if (viewers === 0 && !OWN.has(page)) told.delete(page);
      else told.set(page, viewers);
    }
    return changed;
  }

  return {
    topicsOf(page) {
      return countingTopics(hasRoom(page) ? page : OTHER);
    },

    enter(topics) {
      // Others may have taken the room since the topics were chosen.
      for (const page of pagesOf(topics)) if (hasRoom(page) && !told.has(page)) told.set(page, 0);
    },

    async tick() {
      const [before, now] = [led, leads()];
      led = now;
      const pages = findChanges(now && !before);
      const people = countPeople();
      if (!now) return;
      if (pages.length === 0 && people === toldPeople) return;
      toldPeople = people;
      const at = version();
      await announce(
        ...inParts(pages, PAGES_PER_EVENT).map((part) => ({
          topics: TOPICS.viewers,
          type: 'viewers:delta' as const,
          data: { pages: part, people, version: at },
        })),
      );
    },

    snapshot() {
      const pages = Array.from(told.keys(), (page) => ({ page, viewers: countOn(page) }))
        .filter(({ viewers }) => viewers > 0)
        .sort((a, b) => b.viewers - a.viewers || compare(a.page, b.page))
        .slice(0, MAX_LISTED);
      return { pages, people: countPeople(), version: version() };
    },
  };
}

/** By code unit: comparing by language takes a hundred times as long. */
function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
