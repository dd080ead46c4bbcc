import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach } from 'vitest';
import { temporaryFolder } from './server.ts';
import { until } from './until.ts';

// The entry point of `npm start`; it needs a build, which `npm test` makes.
const main = fileURLToPath(new URL('../../../dist/server/main.js', import.meta.url));

export interface Process {
  child: ChildProcess;
  /** Its output so far. */
  output: () => string;
  exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export interface Processes {
  /** Where they keep their data; another one for each test. */
  folder(): string;
  run(variables?: Record<string, string>, nodeArguments?: readonly string[]): Process;
  /** Resolves once it serves, or has ended. */
  start(
    variables?: Record<string, string>,
    nodeArguments?: readonly string[],
  ): Promise<Process & { url: string }>;
}

/** The app in processes of its own. They are gone after each test. */
export function useProcesses(): Processes {
  let folder: string;
  let removeFolder: () => Promise<void>;
  const running: Process[] = [];

  beforeEach(async () => {
    ({ folder, remove: removeFolder } = await temporaryFolder());
  });
  afterEach(async () => {
    for (const { child, exit } of running.splice(0)) {
      child.kill('SIGKILL');
      await exit;
    }
    await removeFolder();
  });

  function run(variables: Record<string, string> = {}, nodeArguments: readonly string[] = []): Process {
    const child = spawn(process.execPath, [...nodeArguments, main], {
      env: {
        PATH: process.env['PATH'],
        PORT: '0',
        HOST: '127.0.0.1',
        DATABASE_FILE: `${folder}/live.sqlite`,
        POSTS_PER_MINUTE: '10000',
        ...variables,
      },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const exit = once(child, 'close').then(([code, signal]) => ({ code, signal }));
    const started = { child, exit, output: () => output };
    running.push(started);
    return started;
  }

  return {
    folder: () => folder,
    run,
    async start(variables, nodeArguments) {
      const started = run(variables, nodeArguments);
      const url = (): string | undefined => /"url":"([^"]+)"/.exec(started.output())?.[1];
      await until(() => url() !== undefined || started.child.exitCode !== null);
      return { ...started, url: url() ?? '' };
    },
  };
}
