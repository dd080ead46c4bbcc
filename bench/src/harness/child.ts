import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Answer } from './commands.ts';

/** A process that takes commands on its stdin and answers on its stdout. */
export interface Child {
  readonly pid: number;
  ask<Result>(name: string, args?: unknown, timeout?: number): Promise<Result>;
  /** Ends it, if necessary by force. Rejects if it had crashed. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly core: Core;
}

/** The subject runs on one core and the load on the other; a subject of several processes runs on both. */
export type Core = 'subject' | 'load' | 'both';
const CORES: Record<Core, string> = { subject: '0', load: '1', both: '0,1' };

type Process = ChildProcessByStdio<Writable, Readable, Readable>;

const running = new Set<Process>();
const TIMEOUT = 60_000;
const STOP_TIMEOUT = 5000;

export const canPin: boolean = spawnSync('taskset', ['-c', '1', 'true']).status === 0;

/** Pins this process, and so its own computations, to the core of the load. */
export function pinSelf(): void {
  if (canPin) spawnSync('taskset', ['-a', '-c', '-p', CORES.load, String(process.pid)]);
}

/** `script`: a path from the folder of `main.js`. */
export function startNode(name: string, script: string, core: Core, args: readonly string[] = []): Child {
  const path = fileURLToPath(new URL(`../${script}`, import.meta.url));
  return startChild({ name, core, command: [process.execPath, '--expose-gc', path, ...args] });
}

export function startChild({ name, command, core }: ChildOptions): Child {
  const child = launch({ name, command, core });
  const waiting = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  let nextId = 1;

  createInterface({ input: child.process.stdout }).on('line', (line) => {
    const { id, result, error } = JSON.parse(line) as Answer;
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asked?.resolve(result as never);
    else asked?.reject(new Error(`${name}: ${error}`));
  });
  void child.ended.then((how) => {
    for (const { reject } of waiting.values()) reject(new Error(`${name} ${how}`));
  });

  async function ask<Result>(command: string, args: unknown = {}, timeout = TIMEOUT): Promise<Result> {
    const id = nextId;
    nextId += 1;
    child.assertRunning();
    const answer = new Promise<Result>((resolve, reject) => waiting.set(id, { resolve, reject }));
    child.process.stdin.write(`${JSON.stringify({ id, name: command, args })}\n`);
    try {
      return await within(timeout, `${name}: ${command}`, answer);
    } finally {
      waiting.delete(id);
    }
  }

  return { pid: child.pid, ask, stop: child.stop };
}

/** A child without commands. */
export function launch({ name, command, core }: ChildOptions) {
  const [file, ...args] = canPin ? ['taskset', '-c', CORES[core], ...command] : command;
  // A group of its own: its child processes can be counted and stopped with it.
  const started: Process = spawn(file, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, NODE_ENV: 'production' },
  });
  running.add(started);
  let last = '';
  let stopping = false;
  let how: string | undefined;
  started.stderr.setEncoding('utf8').on('data', (text: string) => (last = (last + text).slice(-4000)));
  // Its exit is reported below; a write that comes too late for it adds nothing.
  started.stdin.on('error', () => undefined);
  const ended = new Promise<string>((resolve) => {
    started.on('error', (error) => resolve(`could not be started: ${error.message}`));
    started.on('exit', (code, signal) => resolve(`ended with ${signal ?? code}`));
  }).then((reason) => {
    running.delete(started);
    how = `${reason}${last === '' ? '' : `\n${last}`}`;
    return how;
  });

  function assertRunning(): void {
    if (how !== undefined && !stopping) throw new Error(`${name} ${how}`);
  }

  /** At once and all of its group, which can't do anything about it. */
  async function kill(): Promise<void> {
    stopping = true;
    signalGroup(started, 'SIGKILL');
    await ended;
  }

  async function stop(): Promise<void> {
    assertRunning();
    // Killed before.
    if (how !== undefined) return;
    stopping = true;
    started.stdin.end();
    signalGroup(started, 'SIGTERM');
    const force = setTimeout(() => signalGroup(started, 'SIGKILL'), STOP_TIMEOUT);
    await ended;
    clearTimeout(force);
  }

  return { process: started, pid: started.pid ?? 0, ended, assertRunning, kill, stop };
}

/** At once and without waiting, for when this process ends itself. */
export function killAll(): void {
  for (const child of running) signalGroup(child, 'SIGKILL');
}

function signalGroup({ pid }: Process, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // It ended by itself meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

export async function within<T>(milliseconds: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = (): void => reject(new Error(`${what}: not done within ${milliseconds / 1000} s`));
    timer = setTimeout(fail, milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

export async function until(what: string, holds: () => boolean | Promise<boolean>, timeout = TIMEOUT) {
  const deadline = performance.now() + timeout;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not so within ${timeout / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
