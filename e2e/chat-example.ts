import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import type { ModelStats } from '../examples/chat/src/model/completions.ts';
import { DEADLINE } from '../scripts/deadline.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

export interface ChatExample {
  readonly url: string;
  start(): Promise<void>;
  /** Ends the process, by default as a crash does. @returns its exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
  /** How many answers a model began, and how many it was told to stop. */
  modelStats(model: string): Promise<ModelStats>;
}

/** The chat of `examples/chat`, as its README says. It keeps its port, its log and its chats over restarts. */
export function useChatExample(): ChatExample {
  let folder = '';
  let child: ChildProcess | undefined;
  let url = '';

  async function start(): Promise<void> {
    child = spawn(process.execPath, ['--enable-source-maps', 'dist/server/main.js'], {
      cwd: `${root}examples/chat`,
      env: { PATH: process.env['PATH'], DATA: folder, PORT: url === '' ? '0' : new URL(url).port },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
    [url] = (await once(lines, 'line', { signal: AbortSignal.timeout(DEADLINE) })) as [string];
  }

  async function end(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
    return child.exitCode;
  }

  beforeAll(async () => {
    execFileSync('npm', ['run', 'build', '-w', '@tidings/example-chat'], { cwd: root, stdio: 'pipe' });
    folder = await mkdtemp(join(tmpdir(), 'tidings-chat-'));
    process.once('exit', () => child?.kill('SIGKILL'));
    await start();
  });
  afterAll(async () => {
    await end();
    await rm(folder, { recursive: true, force: true });
  });

  return {
    get url() {
      return url;
    },
    start,
    end,
    async modelStats(model) {
      const response = await fetch(`${url}/api/stats`);
      const { models } = (await response.json()) as { models: Record<string, ModelStats> };
      return models[model] as ModelStats;
    },
  };
}
