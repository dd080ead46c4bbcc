/** The visible part of a stream: the newest items, and how many are held back while the reader looks at something. */
export class TailBuffer<Item> {
  readonly #size: number;
  #shown: Item[] = [];
  #held: Item[] = [];
  #missed = 0;
  #isPaused = false;

  constructor(size: number) {
    this.#size = size;
  }

  /** Newest first. */
  get shown(): readonly Item[] {
    return this.#shown;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** How many came since it was paused. */
  get waiting(): number {
    return this.#held.length + this.#missed;
  }

  add(item: Item): void {
    if (!this.#isPaused) {
      this.#shown = [item, ...this.#shown].slice(0, this.#size);
      return;
    }
    this.#held.push(item);
    if (this.#held.length <= this.#size) return;
    this.#held.shift();
    this.#missed += 1;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#shown = [...this.#held.toReversed(), ...this.#shown].slice(0, this.#size);
    this.#held = [];
    this.#missed = 0;
  }

  clear(): void {
    this.#shown = [];
    this.#held = [];
    this.#missed = 0;
  }
}
