import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';

export type Params = Readonly<Record<string, string | number>>;

/** One subject's results in one run. */
export interface Sample {
  readonly subject: string;
  readonly params: Params;
  readonly metric: string;
  readonly unit: string;
  readonly value: number;
}

/** The summary of all runs of a sample's kind. */
export interface Row {
  readonly suite: string;
  readonly subject: string;
  readonly params: Params;
  readonly metric: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
  /** Of the median to that of the row that the suite's reference names. */
  readonly ratio: number | null;
}

/** Metrics that say something about the measuring alone. */
const NOT_COMPARED = new Set(['client cpu', 'served', 'busiest worker', 'memory growth', 'log growth']);

/** The setting in which a row differs from the one that its ratio refers to. */
export interface Reference {
  readonly subject?: string;
  readonly params?: Params;
}

export function summarize(suite: string, samples: readonly Sample[], reference?: Reference): Row[] {
  const rows = [...group(samples).values()].map((kind) => toRow(suite, kind));
  if (reference === undefined) return rows;
  return rows.map((row) => {
    const wanted = kindOf(referred(row, reference));
    const base = rows.find((each) => kindOf(each) === wanted);
    const compared = base !== undefined && base.median !== 0 && !NOT_COMPARED.has(row.metric);
    return compared ? { ...row, ratio: round(row.median / base.median) } : row;
  });
}

function referred(row: Row, { subject = row.subject, params = {} }: Reference): Row {
  const own = Object.entries(row.params).map(([name, value]) => [name, params[name] ?? value] as const);
  return { ...row, subject, params: Object.fromEntries(own) };
}

function group(samples: readonly Sample[]): Map<string, Sample[]> {
  const kinds = new Map<string, Sample[]>();
  for (const sample of samples) {
    const kind = kinds.get(kindOf(sample));
    if (kind === undefined) kinds.set(kindOf(sample), [sample]);
    else kind.push(sample);
  }
  return kinds;
}

function kindOf({ subject, params, metric }: Omit<Sample, 'unit' | 'value'>): string {
  return JSON.stringify([subject, params, metric]);
}

function toRow(suite: string, samples: readonly Sample[]): Row {
  const [first] = samples;
  if (first === undefined) throw new Error('A row needs a sample.');
  const { subject, params, metric, unit } = first;
  const values = samples.map(({ value }) => value).sort((a, b) => a - b);
  return {
    suite,
    subject,
    params,
    metric,
    unit,
    median: round(median(values)),
    min: round(values.at(0) ?? 0),
    max: round(values.at(-1) ?? 0),
    runs: values.length,
    ratio: null,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 1 ? middle : middle - 1], sorted[middle]];
  return (low + high) / 2;
}

/** To four digits: the measurement has no more. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}

/** A table for each set of parameters, with a line per subject and a column per metric. */
export function printTables(rows: readonly Row[]): void {
  const tables = new Map<string, Map<string, Record<string, string>>>();
  for (const row of rows) {
    const names = Object.keys(row.params).join();
    const lines = tables.get(names) ?? new Map<string, Record<string, string>>();
    tables.set(names, lines);
    const key = JSON.stringify([row.params, row.subject]);
    const line = lines.get(key) ?? { ...toStrings(row.params), subject: row.subject };
    lines.set(key, line);
    line[`${row.metric}, ${row.unit}`] = toCell(row);
  }
  for (const lines of tables.values()) printLines([...lines.values()]);
}

function toStrings(params: Params): Record<string, string> {
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)]));
}

function toCell({ median: middle, min, max, ratio }: Row): string {
  const range = min === max ? '' : ` (${min}–${max})`;
  return `${middle}${range}${ratio === null ? '' : ` ×${ratio}`}`;
}

function printLines(lines: readonly Record<string, string>[]): void {
  const columns = [...new Set(lines.flatMap(Object.keys))];
  const table = [columns, ...lines.map((line) => columns.map((column) => line[column] ?? ''))];
  const widths = columns.map((_, i) => Math.max(...table.map((cells) => cells[i]?.length ?? 0)));
  for (const cells of table) {
    console.log(`  ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`);
  }
  console.log('');
}

/** Replaces the suite's earlier rows. */
export function writeResults(path: string, suite: string, rows: readonly Row[]): void {
  const present = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Row[]) : [];
  const others = present.filter((row) => row.suite !== suite);
  writeFileSync(path, `${JSON.stringify([...others, ...rows], null, 2)}\n`);
}

export function describeMachine() {
  const processors = cpus();
  return {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    node: process.version,
    kernel: `${process.platform} ${release()}`,
    date: new Date().toISOString().slice(0, 10),
  };
}
