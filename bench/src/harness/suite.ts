import type { Params, Reference, Sample } from './report.ts';
import type { Subject } from './subject.ts';

export interface Suite {
  readonly name: string;
  /** The question and the method, in a sentence or two for the reader of the table. */
  readonly about: string;
  /** The subject that ratios refer to. */
  readonly reference?: Reference;
  run(bench: Bench): Promise<void>;
}

export interface BenchOptions {
  readonly tiny: boolean;
  readonly runs: number;
  /** Parts of names; none: all subjects. */
  readonly only: readonly string[];
  /** Numbers of connections, instead of the suite's own. */
  readonly connections: readonly number[];
}

/** The input of a suite. */
export interface Bench {
  readonly samples: readonly Sample[];
  /** Sizes for real, or the smallest that still show that it works. */
  pick<T>(full: T, tiny: T): T;
  /** Numbers of connections to measure with: those of the command line, or like `pick`. */
  connections(full: readonly number[], tiny: readonly number[]): readonly number[];
  /** Each candidate in turn, as many rounds as there are runs; each round begins with the next one. */
  rounds<T extends Candidate>(candidates: readonly T[], count?: number): Generator<T>;
  record(subject: string, params: Params, metrics: Metrics): void;
}

export type Candidate = Pick<Subject, 'name'> & Partial<Pick<Subject, 'missing'>>;

/** By the metric's name: its unit and value. NaN, which could not be measured, is left out. */
export type Metrics = Readonly<Record<string, readonly [unit: string, value: number]>>;

export function createBench({ tiny, runs, only, connections }: BenchOptions): Bench {
  const samples: Sample[] = [];
  const told = new Set<string>();

  function isHere({ name, missing }: Candidate): boolean {
    if (only.length > 0 && !only.some((part) => name.includes(part))) return false;
    if (missing === undefined) return true;
    if (!told.has(name)) console.log(`  ${name} is left out: ${missing}`);
    told.add(name);
    return false;
  }

  return {
    samples,
    pick: (full, small) => (tiny ? small : full),
    connections: (full, small) => (connections.length > 0 ? connections : tiny ? small : full),
    *rounds(candidates, count = runs) {
      const here = candidates.filter(isHere);
      for (let round = 0; round < count; round += 1) {
        for (let i = 0; i < here.length; i += 1) {
          const candidate = here[(round + i) % here.length];
          if (candidate !== undefined) yield candidate;
        }
      }
    },
    record(subject, params, metrics) {
      for (const [metric, [unit, value]] of Object.entries(metrics)) {
        if (!Number.isNaN(value)) samples.push({ subject, params, metric, unit, value });
      }
    },
  };
}
