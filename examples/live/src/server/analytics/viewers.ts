import { TOPICS } from '../../shared/api.ts';
import type { PageName, PageViewers, ViewersSnapshot } from '../../shared/api.ts';
import { createVersions } from '../clock.ts';
import type { Clock } from '../clock.ts';
import type { Announce } from '../events/announce.ts';
import { OTHER } from './page-name.ts';

/** Who views which page right now: people, not sockets. */
export interface Viewers {
  /** A connection of this visitor shows this page. @returns to be called once when it is gone */
  enter(page: PageName, visitor: string): () => void;
  snapshot(): ViewersSnapshot;
  close(): void;
}

export interface ViewersOptions {
  readonly announce: Announce;
  readonly clock: Clock;
  /** Milliseconds a visitor may be gone, so that a reload moves nothing. */
  readonly grace: number;
  /** Distinct pages that are told apart; further ones are counted together. */
  readonly maxPages: number;
}

/** Changes are gathered for so many milliseconds, so that a rush of visitors is a few events. */
const GATHER = 200;

interface Visit {
  page: PageName;
  visitor: string;
  connections: number;
}

export function createViewers({ announce, clock, grace, maxPages }: ViewersOptions): Viewers {
  const nextVersion = createVersions(clock);
  const pages = new Map<PageName, Map<string, Visit>>();
  /** On how many pages each person is. */
  const people = new Map<string, number>();
  /** Visits without a connection, in the order in which their grace ends. */
  const leaving = new Map<Visit, number>();
  /** Pages that may have changed, with the number that was told last. */
  const dirty = new Map<PageName, number>();
  let cancelLeaving: (() => void) | undefined;
  let cancelTelling: (() => void) | undefined;
  let closed = false;

  function countOn(page: PageName): number {
    return pages.get(page)?.size ?? 0;
  }

  function touch(page: PageName): void {
    if (!dirty.has(page)) dirty.set(page, countOn(page));
    cancelTelling ??= clock.setTimer(tell, GATHER);
  }

  function tell(): void {
    cancelTelling = undefined;
    const changed: PageViewers[] = [];
    for (const [page, told] of dirty) {
      const viewers = countOn(page);
      if (viewers !== told) changed.push({ page, viewers });
    }
    dirty.clear();
    if (changed.length === 0) return;
    const data = { version: nextVersion(), pages: changed, people: people.size };
    void announce({ topics: TOPICS.viewers, type: 'viewers:delta', data });
  }

  function arrive(page: PageName, visitor: string): Visit {
    touch(page);
    const visit = { page, visitor, connections: 0 };
    const visits = pages.get(page) ?? new Map<string, Visit>();
    pages.set(page, visits.set(visitor, visit));
    people.set(visitor, (people.get(visitor) ?? 0) + 1);
    return visit;
  }

  function depart({ page, visitor }: Visit): void {
    touch(page);
    const visits = pages.get(page);
    visits?.delete(visitor);
    if (visits?.size === 0) pages.delete(page);
    const left = (people.get(visitor) ?? 1) - 1;
    if (left === 0) people.delete(visitor);
    else people.set(visitor, left);
  }

  /** One timer for all: the grace is the same for each, so the first to leave is the first in the map. */
  function waitForFirst(): void {
    cancelLeaving?.();
    cancelLeaving = undefined;
    const [first] = leaving.values();
    if (first === undefined || closed) return;
    cancelLeaving = clock.setTimer(
      () => {
        const now = clock.now();
        for (const [visit, until] of leaving) {
          if (until > now) break;
          leaving.delete(visit);
          depart(visit);
        }
        waitForFirst();
      },
      Math.max(0, first - clock.now()),
    );
  }

  return {
    enter(wantedPage, visitor) {
      const page = pages.has(wantedPage) || pages.size < maxPages ? wantedPage : OTHER;
      const visit = pages.get(page)?.get(visitor) ?? arrive(page, visitor);
      visit.connections += 1;
      leaving.delete(visit);
      return () => {
        visit.connections -= 1;
        if (visit.connections > 0) return;
        leaving.set(visit, clock.now() + grace);
        if (cancelLeaving === undefined) waitForFirst();
      };
    },

    snapshot() {
      const list = Array.from(pages, ([page, visits]) => ({ page, viewers: visits.size }));
      list.sort((a, b) => b.viewers - a.viewers || a.page.localeCompare(b.page));
      return { version: nextVersion(), pages: list, people: people.size };
    },

    close() {
      closed = true;
      cancelLeaving?.();
      cancelTelling?.();
    },
  };
}
