import type { SharedPage, Subscription } from './subscription.ts';

/** Bytes of pages to keep. A page has about 64 KB at most. */
const MOST = 4_194_304;
/** Bytes that a page takes besides its output. */
const OVERHEAD = 200;

/** Each subscription's page that was read last: of a crowd that comes back, the first reads and encodes for all. */
export class RecentPages {
  readonly #most: number;
  /** The one added longest ago is the first to go. */
  readonly #pages = new Map<Subscription, SharedPage>();
  #bytes = 0;

  constructor(most: number = MOST) {
    this.#most = most;
  }

  of(subscription: Subscription): SharedPage | undefined {
    return this.#pages.get(subscription);
  }

  add(subscription: Subscription, page: SharedPage): void {
    this.drop(subscription);
    this.#pages.set(subscription, page);
    this.#bytes += sizeOf(page);
    for (const oldest of this.#pages.keys()) {
      if (this.#bytes <= this.#most) return;
      this.drop(oldest);
    }
  }

  drop(subscription: Subscription): void {
    const page = this.#pages.get(subscription);
    if (page === undefined) return;
    this.#pages.delete(subscription);
    this.#bytes -= sizeOf(page);
  }
}

function sizeOf({ output }: SharedPage): number {
  return OVERHEAD + (output?.length ?? 0);
}
