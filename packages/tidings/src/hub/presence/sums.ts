import type { Member } from './attendance.ts';
import type { PageData } from './pages.ts';
import type { Presence } from './roster.ts';

interface StoredPage extends PageData {
  readonly seq: number;
}

/** A page of a node that is gone. */
export type Leftover = readonly [node: string, page: string, seq: number];

/** A member's data by node, the newest last. */
type ByNode = Map<string, unknown>;

/**
 * The members of all nodes, summed in the log's order: whoever is on a topic at several nodes counts once. Only nodes that
 * are alive count. Every node comes to the same sums at the same place of the log.
 */
export class Sums {
  readonly #alive = new Set<string>();
  /** Node → page → content. */
  readonly #pages = new Map<string, Map<string, StoredPage>>();
  /** Topic → member → data by node, in the order in which the members came. */
  readonly #topics = new Map<string, Map<string, ByNode>>();
  readonly #changed: (topic: string) => void;

  /** Calls `changed` with each topic whose sum may be another one, unless a node has begun or ended: that concerns many. */
  constructor(changed: (topic: string) => void) {
    this.#changed = changed;
  }

  topics(): Iterable<string> {
    return this.#topics.keys();
  }

  reset(): void {
    this.#alive.clear();
    this.#pages.clear();
    this.#topics.clear();
  }

  begin(node: string): void {
    if (this.#alive.has(node)) return;
    this.#alive.add(node);
    for (const page of this.#pages.get(node)?.values() ?? []) this.#count(node, page);
  }

  /** The node is gone. Its pages are remembered until they are deleted from the log. */
  end(node: string): void {
    if (!this.#alive.delete(node)) return;
    for (const page of this.#pages.get(node)?.values() ?? []) this.#uncount(node, page);
  }

  /** A page's content on the log; undefined: none. */
  set(node: string, number: string, page: StoredPage | undefined): void {
    let pages = this.#pages.get(node);
    if (pages === undefined) this.#pages.set(node, (pages = new Map<string, StoredPage>()));
    const before = pages.get(number);
    if (page === undefined) pages.delete(number);
    else pages.set(number, page);
    if (pages.size === 0) this.#pages.delete(node);
    if (!this.#alive.has(node)) return;
    // In this order, a member that stays keeps its place.
    if (page !== undefined) {
      this.#count(node, page);
      this.#changed(page.topic);
    }
    const stays = new Set(page?.members.map(({ id }) => id));
    const left = before?.members.filter(({ id }) => !stays.has(id)) ?? [];
    if (before === undefined) return;
    this.#uncount(node, { ...before, members: left });
    this.#changed(before.topic);
  }

  of(topic: string, most: number): Presence {
    const all = this.#topics.get(topic);
    const members: Member[] = [];
    for (const [id, byNode] of all ?? []) {
      if (members.length >= most) break;
      const data = [...byNode.values()].findLast((each) => each !== undefined);
      members.push(data === undefined ? { id } : { id, data });
    }
    return { count: all?.size ?? 0, members };
  }

  /** A member's data at each node that `counts`. */
  dataAt(counts: (node: string) => boolean, topic: string, id: string): unknown[] {
    const byNode = this.#topics.get(topic)?.get(id) ?? new Map<string, unknown>();
    return [...byNode].filter(([node]) => counts(node)).map(([, data]) => data);
  }

  /** Pages of nodes that are not alive, with their seqs. */
  *leftovers(): Generator<Leftover> {
    for (const [node, pages] of this.#pages) {
      if (this.#alive.has(node)) continue;
      for (const [number, { seq }] of pages) yield [node, number, seq];
    }
  }

  #count(node: string, { topic, members }: PageData): void {
    let all = this.#topics.get(topic);
    if (all === undefined) this.#topics.set(topic, (all = new Map<string, ByNode>()));
    for (const { id, data } of members) {
      const byNode = all.get(id);
      if (byNode === undefined) all.set(id, new Map([[node, data]]));
      else byNode.set(node, data);
    }
  }

  #uncount(node: string, { topic, members }: PageData): void {
    const all = this.#topics.get(topic);
    if (all === undefined) return;
    for (const { id } of members) {
      const byNode = all.get(id);
      byNode?.delete(node);
      if (byNode?.size === 0) all.delete(id);
    }
    if (all.size === 0) this.#topics.delete(topic);
  }
}
