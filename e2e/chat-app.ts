import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll } from 'vitest';

const sources = fileURLToPath(new URL('chat-app/', import.meta.url));

/** Of one chat. */
export interface ChatStats {
  readonly started: number;
  readonly saved: number;
  readonly abortedAt: number;
}

export interface ChatApp {
  readonly url: string;
  stats(chat: string): Promise<ChatStats>;
  /** Ends the process as a crash does. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** The chat of `chat-app/`, for the tests of this file. Its log and its messages outlive its process. */
export function useChatApp(): ChatApp {
  let folder = '';
  let port = 0;
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    child = spawn(process.execPath, [join(sources, 'server.mjs'), String(port), folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      port = Number(/^listening (\d+)$/.exec(line)?.[1] ?? port);
      if (port > 0) return;
    }
    throw new Error('The chat did not start.');
  }

  async function kill(): Promise<void> {
    if (child === undefined || child.exitCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chat-'));
    await Promise.all([5, 6].map((version) => bundlePage(version, folder)));
    await start();
  });
  afterAll(async () => {
    await kill();
    await rm(folder, { recursive: true, force: true });
  });

  return {
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    async stats(chat) {
      const response = await fetch(`http://127.0.0.1:${port}/stats/${chat}`);
      return (await response.json()) as ChatStats;
    },
    kill,
    start,
  };
}

async function bundlePage(version: number, folder: string): Promise<void> {
  const bundle = await rolldown({
    input: join(sources, 'page.mjs'),
    platform: 'browser',
    resolve: { alias: { ai: `ai${version}`, '@ai-sdk/react': `ai-react${version}` } },
    transform: { define: { VERSION: String(version), 'process.env.NODE_ENV': '"production"' } },
    logLevel: 'silent',
  });
  await bundle.write({ file: join(folder, 'page', `${version}.js`), codeSplitting: false });
  await bundle.close();
}
