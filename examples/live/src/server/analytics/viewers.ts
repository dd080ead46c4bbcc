import type { Hub, Matcher } from 'tidings';
import { TOPICS } from '../../shared/api.ts';
import type { PageName, PageViewers, ViewersSnapshot } from '../../shared/api.ts';
import { createVersions } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
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
  /** Distinct pages that are told apart; further ones are counted together. */
  readonly maxPages: number;
}

export function createViewers({ hub, announce, clock, maxPages }: ViewersOptions): Viewers {
  const nextVersion = createVersions(clock);
  /** Pages that somebody may be viewing, with the number that was told last. */
  const told = new Map<PageName, number>();
  let toldPeople = 0;

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
      const name = told.has(page) || told.size < maxPages ? page : OTHER;
      return [ANY_PAGE, pageTopic(name)];
    },

    enter(topics) {
      const page = pageOf(topics);
      if (page !== undefined && !told.has(page)) told.set(page, 0);
    },

    async tick() {
      const pages = findChanges();
      const people = countPeople();
      if (pages.length === 0 && people === toldPeople) return;
      toldPeople = people;
      const data = { version: nextVersion(), pages, people };
      await announce({ topics: TOPICS.viewers, type: 'viewers:delta', data });
    },

    snapshot() {
      const pages = Array.from(told.keys(), (page) => ({ page, viewers: countOn(page) }))
        .filter(({ viewers }) => viewers > 0)
        .sort((a, b) => b.viewers - a.viewers || a.page.localeCompare(b.page));
      return { version: nextVersion(), pages, people: countPeople() };
    },
  };
}
