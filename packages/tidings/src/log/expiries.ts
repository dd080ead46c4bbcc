import type { LogEntry } from './entry.ts';

interface Expiry {
  readonly at: number;
  readonly seq: number;
}

/** Below so many, expiries of values that are gone are put up with. */
const FEW = 64;

/** When values expire, the first to do so first: a binary heap. Values that have gone otherwise are left out when met. */
export class Expiries {
  readonly #isValue: (seq: number) => boolean;
  #heap: Expiry[] = [];
  #packAt = FEW;

  /** `isValue`: whether the event is still the newest of its key. */
  constructor(isValue: (seq: number) => boolean) {
    this.#isValue = isValue;
  }

  /** When the first value expires, Infinity if none does. */
  get next(): number {
    for (let [first] = this.#heap; first !== undefined; [first] = this.#heap) {
      if (this.#isValue(first.seq)) return first.at;
      this.#removeFirst();
    }
    return Infinity;
  }

  add({ seq, expiresAt }: LogEntry): void {
    if (expiresAt === undefined) return;
    const heap = this.#heap;
    heap.push({ at: expiresAt, seq });
    for (let i = heap.length - 1; i > 0;) {
      const parent = (i - 1) >> 1;
      if (!this.#swapIfLater(parent, i)) break;
      i = parent;
    }
    if (heap.length > this.#packAt) this.#pack();
  }

  /** Takes a value that has expired at `now`; undefined if there is none. */
  take(now: number): number | undefined {
    if (this.next > now) return undefined;
    const [first] = this.#heap;
    this.#removeFirst();
    return first?.seq;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    for (let i = 0; ;) {
      const left = 2 * i + 1;
      const least = (heap[left + 1]?.at ?? Infinity) < (heap[left]?.at ?? Infinity) ? left + 1 : left;
      if (heap[least] === undefined || !this.#swapIfLater(i, least)) return;
      i = least;
    }
  }

  /** @returns whether `upper` was later than `lower`. */
  #swapIfLater(upper: number, lower: number): boolean {
    const heap = this.#heap;
    const [a, b] = [heap[upper] as Expiry, heap[lower] as Expiry];
    if (a.at <= b.at) return false;
    heap[upper] = b;
    heap[lower] = a;
    return true;
  }

  /** Values that are renewed again and again must not fill the memory with their old expiries. */
  #pack(): void {
    // A sorted list is a heap.
    this.#heap = this.#heap.filter(({ seq }) => this.#isValue(seq)).sort((a, b) => a.at - b.at);
    this.#packAt = Math.max(FEW, 2 * this.#heap.length);
  }
}
