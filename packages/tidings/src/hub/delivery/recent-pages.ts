import type { SharedPage, Subscription } from './subscription.ts';

/** Bytes of pages to keep. A page has about 64 KB at most. */
const MOST = 4_194_304;
/** Bytes that a page takes besides its output. */
const OVERHEAD = 200;

/** Each subscription's page that was read last: of a crowd that comes back, the first reads and encodes for all. */
export class RecentPages {
  readonly #most: number;
  /** The one added longest ago is the first to go. */
  readonly #pages = new Map<Subscription, { readonly page: SharedPage; readonly bytes: number }>();
  #bytes = 0;

  constructor(most: number = MOST) {
    this.#most = most;
  }

  of(subscription: Subscription): SharedPage | undefined {
    return this.#pages.get(subscription)?.page;
  }

  /** `held`: the bytes that the page keeps from being garbage collected. */
  add(subscription: Subscription, page: SharedPage, held: number = page.output?.length ?? 0): void {
    this.drop(subscription);
    const bytes = OVERHEAD + held;
    this.#pages.set(subscription, { page, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#pages.keys()) {
      if (this.#bytes <= this.#most) return;
      this.drop(oldest);
    }
  }

  drop(subscription: Subscription): void {
    const kept = this.#pages.get(subscription);
    if (kept === undefined) return;
    this.#pages.delete(subscription);
    this.#bytes -= kept.bytes;
  }
}
