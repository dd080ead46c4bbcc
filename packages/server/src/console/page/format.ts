const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const BYTES = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** `1,234`, and `12.3K` from ten thousand on. */
export function count(value: number): string {
  return Math.abs(value) < 10_000 ? whole.format(Math.round(value)) : short.format(value);
}

/** `3.1/s` */
export function rate(value: number | undefined): string {
  if (value === undefined) return '–';
  return `${value >= 100 ? count(value) : String(Number(value.toPrecision(2)))}/s`;
}

/** `512 B`, `1.5 kB` */
export function bytes(value: number): string {
  let size = value;
  let step = 0;
  while (size >= 999.5 && step < BYTES.length - 1) {
    size /= 1000;
    step += 1;
  }
  return `${step === 0 ? Math.round(size) : Number(size.toPrecision(3))} ${BYTES[step]}`;
}

/** Milliseconds as a latency: `0.08 ms`, `12 ms`, `1.2 s`. */
export function latency(milliseconds: number): string {
  const [value, unit] = milliseconds >= 1000 ? [milliseconds / 1000, 's'] : [milliseconds, 'ms'];
  return `${value >= 100 ? Math.round(value) : Number(value.toPrecision(2))} ${unit}`;
}

/** Milliseconds as an age: `12 s`, `5 min`, `3 h`, `2 d`. */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** `14:03:59.123` */
export function clockTime(time: number): string {
  const date = new Date(time);
  const two = (value: number): string => String(value).padStart(2, '0');
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${parts}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
