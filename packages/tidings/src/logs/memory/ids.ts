import { type LogEntry, SUPERSEDED_ID_WINDOW } from '../../log/index.ts';

/** The ids in the log, and for a while those of superseded events, since their publishers may try again. */
export class Ids {
  readonly #seqs = new Map<string, number>();
  /** Id → the log's head when its event was superseded, in that order. */
  readonly #superseded = new Map<string, number>();

  seqOf(id: string): number | undefined {
    return this.#seqs.get(id);
  }

  /** Ids and their seqs: of `entries`, and of events that those superseded before they were appended. */
  addAll(ids: ReadonlyMap<string, number>, entries: readonly LogEntry[], head: number): void {
    const own = new Set(entries.map(({ id }) => id));
    for (const [id, seq] of ids) {
      if (this.#seqs.has(id)) continue;
      this.#seqs.set(id, seq);
      if (!own.has(id)) this.#superseded.set(id, head);
    }
  }

  delete(id: string): void {
    this.#seqs.delete(id);
    this.#superseded.delete(id);
  }

  supersede(id: string, head: number): void {
    this.#superseded.set(id, head);
  }

  forgetSuperseded(head: number): void {
    for (const [id, since] of this.#superseded) {
      const isRecent = since > head - SUPERSEDED_ID_WINDOW;
      if (isRecent && this.#superseded.size <= SUPERSEDED_ID_WINDOW) return;
      this.delete(id);
    }
  }
}
