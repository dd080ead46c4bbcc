/**
 * A log's time of day. It never goes back: where the machine's clock is set back, it goes on from where it was, at the
 * clock's pace. So an entry's age is the time it has been in the log, and an entry from the future can't keep others
 * from aging. Where a clock that was set back is put right again, the log's time doesn't follow it a second time: a
 * machine that starts with the wrong date would age everything by the difference.
 */
export interface LogTime {
  /** The newest time that was given, milliseconds since 1970. */
  readonly last: number;
  /** How far the log's time is ahead of the clock. */
  readonly ahead: number;
}

export const START: LogTime = { last: -Infinity, ahead: 0 };

/** A clock is put right if it comes back to the log's time, within so many milliseconds. */
const CLOSE = 1000;

/** The log's time when the machine's clock says `now`. */
export function advanceTime({ last, ahead }: LogTime, now: number): LogTime {
  const time = now + ahead;
  if (time < last) return { last, ahead: last - now };
  if (ahead === 0 || now < last - Math.min(CLOSE, ahead / 2)) return { last: time, ahead };
  const right = Math.max(last, now);
  return { last: right, ahead: right - now };
}
