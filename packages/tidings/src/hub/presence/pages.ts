import type { NewEvent } from '../../protocol/event.ts';
import { HUB_TOPICS, hubDeletion, hubEvent } from '../cluster/hub-topics.ts';
import type { Member } from './attendance.ts';

/** The members of one topic at one node, or some of them, as they stand on the log. */
export interface PageData {
  readonly topic: string;
  readonly members: readonly Member[];
}

interface Page {
  readonly topic: string;
  readonly members: Map<string, Member>;
}

interface TopicPages {
  /** Member → page. */
  readonly pageOf: Map<string, number>;
  /** Pages with room. */
  readonly open: Set<number>;
}

/** Members on a page: a change writes one page, so a page is small; and few pages hold a crowd. */
const PAGE_SIZE = 64;

/** This node's own members, in pages. Knows which ones the log doesn't have as they are now. */
export class Pages {
  readonly #pages = new Map<number, Page>();
  readonly #topics = new Map<string, TopicPages>();
  readonly #dirty = new Set<number>();
  #last = 0;

  /** Whether the log lacks something. */
  get isDirty(): boolean {
    return this.#dirty.size > 0;
  }

  get isEmpty(): boolean {
    return this.#pages.size === 0;
  }

  set(topic: string, member: Member): void {
    let pages = this.#topics.get(topic);
    if (pages === undefined) this.#topics.set(topic, (pages = { pageOf: new Map(), open: new Set() }));
    const number = pages.pageOf.get(member.id) ?? this.#pageWithRoom(topic, pages);
    const page = this.#pages.get(number) as Page;
    pages.pageOf.set(member.id, number);
    page.members.set(member.id, member);
    if (page.members.size >= PAGE_SIZE) pages.open.delete(number);
    this.#dirty.add(number);
  }

  delete(topic: string, id: string): void {
    const pages = this.#topics.get(topic);
    const number = pages?.pageOf.get(id);
    if (pages === undefined || number === undefined) return;
    const page = this.#pages.get(number) as Page;
    pages.pageOf.delete(id);
    page.members.delete(id);
    pages.open.add(number);
    if (page.members.size === 0) {
      this.#pages.delete(number);
      pages.open.delete(number);
      if (pages.pageOf.size === 0) this.#topics.delete(topic);
    }
    this.#dirty.add(number);
  }

  /** Takes the changes, as events of the node with this id, each with its page. */
  take(node: string): readonly (readonly [page: number, NewEvent])[] {
    const events = [...this.#dirty].map((number) => [number, this.#eventOf(number, node)] as const);
    this.#dirty.clear();
    return events;
  }

  has(page: number): boolean {
    return this.#pages.has(page);
  }

  /** The log doesn't have these after all. */
  putBack(pages: Iterable<number>): void {
    for (const page of pages) this.#dirty.add(page);
  }

  /** The log has none of them. */
  putBackAll(): void {
    this.#dirty.clear();
    this.putBack(this.#pages.keys());
  }

  #pageWithRoom(topic: string, { open }: TopicPages): number {
    for (const number of open) return number;
    this.#last += 1;
    this.#pages.set(this.#last, { topic, members: new Map() });
    open.add(this.#last);
    return this.#last;
  }

  #eventOf(number: number, node: string): NewEvent {
    const topic = HUB_TOPICS.members + node;
    const page = this.#pages.get(number);
    if (page === undefined) return hubDeletion(topic, String(number));
    const data: PageData = { topic: page.topic, members: [...page.members.values()] };
    return hubEvent(topic, String(number), data);
  }
}
