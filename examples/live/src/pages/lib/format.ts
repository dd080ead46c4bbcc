/** Shown for a figure that is not known yet. */
export const UNKNOWN = '–';

const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** `1,234`, and `12.3K` from ten thousand on unless `exact`. */
export function formatCount(value: number | null | undefined, exact = false): string {
  if (value === null || value === undefined) return UNKNOWN;
  const rounded = Math.round(value);
  return exact || Math.abs(rounded) < 10_000 ? whole.format(rounded) : short.format(rounded);
}

/** A number with about three digits: `0.04`, `3.1`, `42`, `1,234`. */
export function formatFigure(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return formatCount(value);
  const digits = size >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}

/** Two digits are all that a rate over a second is good for: `0.5`, `3.1`, `42`, `1,234`. */
export function formatPerSecond(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  return value >= 100 ? formatCount(value) : String(Number(value.toPrecision(2)));
}

/** `3.1/s`. */
export function formatRate(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : `${formatPerSecond(value)}/s`;
}

/** Bytes in steps of 1000, as network figures are: `512 B`, `1.5 kB`, `23.4 MB`. */
export function formatBytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  let size = value;
  let step = 0;
  while (Math.abs(size) >= 999.5 && step < BYTE_UNITS.length - 1) {
    size /= 1000;
    step += 1;
  }
  const text = step === 0 ? String(Math.round(size)) : formatFigure(size);
  return `${text} ${BYTE_UNITS[step]}`;
}

/** `1.5 kB/s`. */
export function formatByteRate(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : `${formatBytes(value)}/s`;
}

/** A duration given in ms, for latencies: `0.08 ms`, `12 ms`, `1.2 s`. */
export function formatMs(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  return value >= 1000 ? `${formatFigure(value / 1000)} s` : `${formatFigure(value)} ms`;
}

/** `1 viewer`, `2 viewers`. */
export function plural(count: number, one: string, many: string = `${one}s`): string {
  return `${formatCount(count, true)} ${count === 1 ? one : many}`;
}
