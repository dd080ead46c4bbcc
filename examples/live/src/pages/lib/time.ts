const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const sameYear = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' });
const otherYear = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', year: 'numeric' });
const full = new Intl.DateTimeFormat('en', { dateStyle: 'full', timeStyle: 'medium' });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const exactClock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

/** How long ago, for people: `just now`, `5 min ago`, `3 h ago`, `2 d ago`, then the date. */
export function timeAgo(at: number, now: number): string {
  // A server's clock may be a little ahead of the reader's.
  const age = Math.max(0, now - at);
  if (age < 45 * SECOND) return 'just now';
  if (age < HOUR) return `${Math.max(1, Math.floor(age / MINUTE))} min ago`;
  if (age < DAY) return `${Math.floor(age / HOUR)} h ago`;
  if (age < 7 * DAY) return `${Math.floor(age / DAY)} d ago`;
  const date = new Date(at);
  return date.getFullYear() === new Date(now).getFullYear() ? sameYear.format(date) : otherYear.format(date);
}

/** A length of time in its two largest units: `8 s`, `4 min 12 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatAge(ms: number): string {
  const age = Math.max(0, ms);
  if (age < MINUTE) return `${Math.floor(age / SECOND)} s`;
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min ${Math.floor((age % MINUTE) / SECOND)} s`;
  if (age < DAY) return `${Math.floor(age / HOUR)} h ${Math.floor((age % HOUR) / MINUTE)} min`;
  return `${Math.floor(age / DAY)} d ${Math.floor((age % DAY) / HOUR)} h`;
}

/** Whole seconds until then, at least one while it lies ahead, for countdowns. */
export function secondsUntil(at: number, now: number): number {
  return Math.max(0, Math.ceil((at - now) / SECOND));
}

/** Date and time in words, for tooltips. */
export function fullTime(at: number): string {
  return full.format(at);
}

/** `14:05`, or with `seconds` `14:05:09`. */
export function clockTime(at: number, seconds = false): string {
  return (seconds ? exactClock : clock).format(at);
}
