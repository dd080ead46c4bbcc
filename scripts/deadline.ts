/**
 * How many milliseconds a test waits for something before it fails. Tests that pass don't wait for it, so it is
 * generous: a machine busy with something else makes them slow, not red.
 */
export const DEADLINE = 60_000;

/** This process's CPU time in milliseconds, which tests of cost can limit: the machine's load doesn't change it. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
