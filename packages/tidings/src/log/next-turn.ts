/** Node, Bun and Deno have `setImmediate`; elsewhere a timer of 0 ms comes nearest. */
const { setImmediate: immediately } = globalThis as { setImmediate?: (task: () => void) => unknown };

/** Calls `task` once, after the running code and any waiting input have had their turn. */
export function inNextTurn(task: () => void): void {
  (immediately ?? setTimeout)(task);
}
