const SIZE = 1024;

/** Quantiles over the newest 1024 samples. */
export class LagSamples {
  readonly #samples: Float64Array = new Float64Array(SIZE);
  #count = 0;

  add(milliseconds: number): void {
    this.#samples[this.#count % SIZE] = milliseconds;
    this.#count += 1;
  }

  /** @returns milliseconds for each of the quantiles (0 to 1), 0 as long as there are no samples. */
  quantiles(...quantiles: readonly number[]): number[] {
    return this.quantilesOf(SIZE, ...quantiles);
  }

  /** The same, over the newest `count` samples alone. */
  quantilesOf(count: number, ...quantiles: readonly number[]): number[] {
    const size = Math.max(0, Math.min(count, this.#count, SIZE));
    const newest = Array.from(
      { length: size },
      (_, back) => this.#samples[(this.#count - 1 - back) % SIZE] ?? 0,
    );
    const sorted = Float64Array.from(newest).sort();
    return quantiles.map((q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0);
  }
}
