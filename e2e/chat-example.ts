import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { freePort } from '../packages/tidings/test/faults/free-port.ts';
import { DEADLINE } from '../scripts/deadline.ts';
import { type HeldModel, startModel } from './chat-model.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

export interface ChatExample {
  readonly url: string;
  start(): Promise<void>;
  /** Ends the process, by default as a crash does. @returns its exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
  /** Its models. */
  readonly model: HeldModel;
}

const MODELS = ['tide', 'tide-fast', 'tide-slow', 'tide-flaky'];

/** The chat of `examples/chat`, as its README says. It keeps its port, its log and its chats over restarts. */
export function useChatExample(): ChatExample {
  let folder = '';
  let child: ChildProcess | undefined;
  let port = 0;
  let url = '';
  let model: HeldModel;

  async function start(): Promise<void> {
    child = spawn(process.execPath, ['--enable-source-maps', 'dist/server/main.js'], {
      cwd: `${root}examples/chat`,
      env: {
        PATH: process.env['PATH'],
        DATA: folder,
        PORT: String(port),
        OPENAI_BASE_URL: model.url,
        OPENAI_MODELS: MODELS.join(),
      },
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
    port = await freePort();
    model = await startModel();
    await start();
  });
  afterAll(async () => {
    await end();
    model.close();
    await rm(folder, { recursive: true, force: true });
  });

  return {
    get url() {
      return url;
    },
    get model() {
      return model;
    },
    start,
    end,
  };
}
