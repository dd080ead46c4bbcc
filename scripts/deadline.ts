/**
 * How many milliseconds a test waits for something before it fails. Tests that pass don't wait for it, so it is
 * generous: a machine busy with something else makes them slow, not red.
 */
export const DEADLINE = 60_000;

/** Milliseconds of work that this process has done: what a test limits that is about cost, since load doesn't change it. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
