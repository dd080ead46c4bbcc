import { type DestinationStream, destination } from 'pino';

/** A system call for each line of the access log would take a quarter of a small request (`bench` suite `server`). */
const MAX_LENGTH = 4096;
/** Milliseconds that a line waits for others. */
const WAIT = 100;

/** Writes log lines to standard output, several at a time. */
export interface GatheredLines extends DestinationStream {
  /** Pino calls it after a fatal error. */
  flushSync(): void;
}

/**
 * The writes themselves are synchronous: an asynchronous one that waits for a slow reader would be lost with
 * `process.exit`, and without a reader, lines would pile up in memory.
 */
export function gatherLines(): GatheredLines {
  const output = destination({ sync: true });
  let lines = '';
  const flushSync = (): void => {
    const gathered = lines;
    lines = '';
    if (gathered !== '') output.write(gathered);
  };
  setInterval(flushSync, WAIT).unref();
  process.on('exit', flushSync);
  return {
    flushSync,
    write(line) {
      lines += line;
      if (lines.length >= MAX_LENGTH) flushSync();
    },
  };
}
