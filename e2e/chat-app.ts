import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type InputOptions, rolldown } from 'rolldown';
import { afterAll, beforeAll } from 'vitest';
import { freePort } from '../packages/tidings/test/faults/free-port.ts';

const sources = fileURLToPath(new URL('chat-app/', import.meta.url));

/** Of one chat. */
export interface ChatStats {
  readonly started: number;
  readonly saved: number;
  readonly aborted: number;
}

export interface ChatApp {
  readonly url: string;
  stats(chat: string): Promise<ChatStats>;
  /** Lets an answer that is held come to its end: before, its last word doesn't come. */
  release(chat: string): Promise<void>;
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
      if (line === 'listening') return;
    }
    throw new Error('The chat did not start.');
  }

  async function kill(): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  beforeAll(async () => {
    process.once('exit', () => child?.kill('SIGKILL'));
    folder = await mkdtemp(join(tmpdir(), 'chat-'));
    port = await freePort();
    await Promise.all([
      ...[5, 6].map((version) => bundleUseChat(version, folder)),
      bundlePage('tanstack', folder),
    ]);
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
    async release(chat) {
      await fetch(`http://127.0.0.1:${port}/release/${chat}`, { method: 'POST' });
    },
    kill,
    start,
  };
}

/** The page with the AI SDK of this version. */
function bundleUseChat(version: number, folder: string): Promise<void> {
  const alias = { ai: `ai${version}`, '@ai-sdk/react': `ai-react${version}` };
  return bundlePage('page', folder, String(version), {
    resolve: { alias },
    define: { VERSION: String(version) },
  });
}

interface PageOptions {
  readonly resolve?: InputOptions['resolve'];
  readonly define?: Record<string, string>;
}

async function bundlePage(
  source: string,
  folder: string,
  name: string = source,
  { resolve = {}, define = {} }: PageOptions = {},
): Promise<void> {
  const bundle = await rolldown({
    input: join(sources, `${source}.mjs`),
    platform: 'browser',
    resolve,
    transform: { define: { ...define, 'process.env.NODE_ENV': '"production"' } },
    logLevel: 'silent',
  });
  await bundle.write({ file: join(folder, 'page', `${name}.js`), codeSplitting: false });
  await bundle.close();
}
