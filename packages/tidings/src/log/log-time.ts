/**
 * A log's time of day. It never goes back: where the machine's clock is set back, it goes on from where it was, at the
 * clock's pace. So an entry's age is the time it has been in the log, and an entry from the future can't keep others
 * from aging.
 */
export interface LogTime {
  /** The newest time that was given, milliseconds since 1970. */
  readonly last: number;
  /** How far the log's time is ahead of the clock. */
  readonly ahead: number;
}

export const START: LogTime = { last: -Infinity, ahead: 0 };

/** The log's time when the machine's clock says `now`. */
export function advanceTime({ last, ahead }: LogTime, now: number): LogTime {
  const time = now + ahead;
  return time >= last ? { last: time, ahead } : { last, ahead: last - now };
}
