/** The built program, run as its users run it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SignJWT } from 'jose';
import { until } from '../../tidings/test/http/deadline.ts';
import { runCli } from '../src/cli/run.ts';

export const PROGRAM: string = fileURLToPath(new URL('../dist/main.js', import.meta.url));
/** The key of the servers that tests start. */
export const SECRET = 'a-secret-of-the-tests-that-is-long-enough';

export interface Started {
  readonly publicUrl: string;
  readonly internalUrl: string;
  readonly child: ChildProcess;
  /** Everything it has written so far. */
  readonly output: () => string;
  /** @returns the exit status, or the signal. */
  stop(signal?: NodeJS.Signals): Promise<number | string | null>;
}

export interface StartOptions {
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder?: string;
}

/** A folder of a test's own, to remove in the end. */
export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), 'tidings-server-'));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** The environment without what could configure a server by accident. */
function cleanEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TIDINGS_')));
}

/** Starts `tidings serve` on free ports, with a secret for tokens and a log in memory unless the arguments say otherwise. */
export async function startServer({ args = [], environment, folder }: StartOptions = {}): Promise<Started> {
  const defaults = ['--listen-port', '0', '--internal-port', '0', '--logging-level', 'info'];
  const child = spawn(process.execPath, [PROGRAM, 'serve', ...defaults, ...args], {
    cwd: folder ?? tmpdir(),
    env: {
      ...cleanEnvironment(),
      ...(environment ?? { TIDINGS_AUTH_JWT_SECRET: SECRET, TIDINGS_LOG_URL: 'memory:' }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += String(chunk)));
  const exited = once(child, 'exit');
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await exited;
    }
    return child.exitCode ?? child.signalCode;
  };
  try {
    await until('serving', () => {
      if (child.exitCode !== null) throw new Error(`The server ended with ${child.exitCode}:\n${output}`);
      return urlsIn(output) !== undefined;
    });
  } catch (error) {
    await stop('SIGKILL');
    throw error;
  }
  const urls = urlsIn(output);
  if (urls === undefined) throw new Error(output);
  return { ...urls, child, output: () => output, stop };
}

function urlsIn(output: string): { publicUrl: string; internalUrl: string } | undefined {
  const line = output.split('\n').find((each) => each.includes('"msg":"serving"'));
  return line === undefined ? undefined : JSON.parse(line);
}

/** Runs a command to its end. */
export async function run(
  args: readonly string[],
  {
    environment = {},
    folder = tmpdir(),
    input = '',
  }: Omit<StartOptions, 'args'> & { readonly input?: string } = {},
): Promise<{ readonly status: number | null; readonly out: string; readonly err: string }> {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    cwd: folder,
    env: { ...cleanEnvironment(), ...environment },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (err += String(chunk)));
  child.stdin.on('error', () => {
    // It may end without reading its input.
  });
  child.stdin.end(input);
  await once(child, 'close');
  return { status: child.exitCode, out, err };
}

/** Runs a command that reads no input in this process, which takes a tenth of the time. */
export async function runHere(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  const before = process.env;
  process.env = { ...cleanEnvironment(), ...environment };
  try {
    const status = await runCli(args, {
      out: (text) => void (out += text),
      err: (text) => void (err += text),
      drained: () => Promise.resolve(),
    });
    return { status, out, err };
  } finally {
    process.env = before;
  }
}

/** Patterns. */
export interface Rights {
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
  readonly private?: readonly string[];
}

/** Text with a star in it is a pattern. */
export function tokenFor(subject: string, rights: Rights, secret: string = SECRET): Promise<string> {
  const tidings = Object.fromEntries(
    Object.entries(rights).map(([name, topics]: [string, readonly string[]]) => [
      name,
      topics.map((topic) => (topic.includes('*') ? { pattern: topic } : topic)),
    ]),
  );
  return new SignJWT({ tidings })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime('10m')
    .sign(new TextEncoder().encode(secret));
}
