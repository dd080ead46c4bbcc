import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect } from 'vitest';
import { DEADLINE } from '../scripts/deadline.ts';

/**
 * Runs an example for a file of tests. It prints its URL as its first line, and ends with 0 on SIGTERM.
 *
 * @param folder where it runs
 * @param script its file, from there
 */
export function useExample(folder: string, script: string): { readonly origin: string } {
  let server: ChildProcess;
  let origin = '';

  beforeAll(async () => {
    server = spawn(process.execPath, [script], {
      cwd: folder,
      env: { PATH: process.env['PATH'], PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: server.stdout as NonNullable<typeof server.stdout> });
    [origin] = (await once(lines, 'line', { signal: AbortSignal.timeout(DEADLINE) })) as [string];
  });

  afterAll(async () => {
    if (server.exitCode !== null) return;
    const exited = once(server, 'exit');
    server.kill('SIGTERM');
    await exited;
    expect(server.exitCode).toBe(0);
  });

  return {
    get origin() {
      return origin;
    },
  };
}
