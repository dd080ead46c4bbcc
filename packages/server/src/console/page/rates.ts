/** Turns counters that only grow into rates per second, from one look to the next. */
export class Rates {
  #at: number | undefined;
  #before: Readonly<Record<string, number>> = {};

  /** @returns the rates since the last look; none after the first, or after a restart of what counts. */
  look(at: number, counters: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
    const seconds = this.#at === undefined ? 0 : (at - this.#at) / 1000;
    const before = this.#before;
    this.#at = at;
    this.#before = counters;
    if (seconds <= 0) return {};
    const grown = Object.entries(counters).map(([name, value]): [string, number] => [
      name,
      value - (before[name] ?? value),
    ]);
    return grown.some(([, by]) => by < 0)
      ? {}
      : Object.fromEntries(grown.map(([name, by]) => [name, by / seconds]));
  }
}
