import type { RunRecord } from './record.ts';

/** A response that shows a run. */
export interface Viewer {
  /** Called when it was quiet for a heartbeat. */
  beat(): void;
  /** Called when the run has ended here, although the log doesn't take that down. */
  end(record: RunRecord): void;
  /** The clock's monotonic time of the last write. */
  wroteAt: number;
}

/** The viewers of each run in this process. */
export class Viewers {
  readonly #runs = new Map<string, Set<Viewer>>();

  add(key: string, viewer: Viewer): () => void {
    let viewers = this.#runs.get(key);
    if (viewers === undefined) this.#runs.set(key, (viewers = new Set()));
    viewers.add(viewer);
    return () => {
      viewers.delete(viewer);
      if (viewers.size === 0 && this.#runs.get(key) === viewers) this.#runs.delete(key);
    };
  }

  /** Whether anybody watches the run here. */
  watch(key: string): boolean {
    return this.#runs.has(key);
  }

  get watched(): readonly string[] {
    return [...this.#runs.keys()];
  }

  get size(): number {
    return this.#runs.size;
  }

  end(key: string, record: RunRecord): void {
    for (const viewer of [...(this.#runs.get(key) ?? [])]) viewer.end(record);
  }

  /** Sends a heartbeat to those that were written nothing since `before`. */
  beat(before: number, now: number): void {
    for (const viewers of this.#runs.values()) {
      for (const viewer of viewers) {
        if (viewer.wroteAt > before) continue;
        viewer.wroteAt = now;
        viewer.beat();
      }
    }
  }
}
