/** Longest text that is kept. */
const MAX_LENGTH = 256;

/** Keeps texts that many connections share, such as user agents, only once. */
export class TextPool {
  readonly #texts = new Map<string, { readonly text: string; uses: number }>();

  get size(): number {
    return this.#texts.size;
  }

  /** @returns the same text, or its beginning, to be given back with `release`. */
  use(given: string | undefined): string | undefined {
    if (given === undefined) return undefined;
    const text = given.slice(0, MAX_LENGTH);
    const known = this.#texts.get(text);
    if (known === undefined) this.#texts.set(text, { text, uses: 1 });
    else known.uses += 1;
    return known?.text ?? text;
  }

  release(text: string | undefined): void {
    const known = text === undefined ? undefined : this.#texts.get(text);
    if (known === undefined) return;
    known.uses -= 1;
    if (known.uses === 0) this.#texts.delete(known.text);
  }
}
