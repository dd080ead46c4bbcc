import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** One of the nodes, on a port of its own for all its lives. */
export class NodeProcess {
  readonly url: string;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;

  constructor(port: number, args: readonly string[]) {
    this.url = `http://127.0.0.1:${port}/`;
    this.#args = args;
  }

  async start(): Promise<void> {
    const program = fileURLToPath(new URL('node.mjs', import.meta.url));
    const child = spawn(process.execPath, [program, ...this.#args], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    if (child.stdout !== null) await once(child.stdout, 'data');
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Longer than its lease: it comes back as a node that the others have given up. */
  async pause(milliseconds: number): Promise<void> {
    this.#child?.kill('SIGSTOP');
    await new Promise((resolve) => void setTimeout(resolve, milliseconds));
    this.#child?.kill('SIGCONT');
  }

  /** How many members it counts; NaN while it doesn't answer. */
  async countMembers(): Promise<number> {
    try {
      const response = await fetch(`${this.url}presence`, { signal: AbortSignal.timeout(5000) });
      return Number((await response.text()) || Number.NaN);
    } catch {
      return Number.NaN;
    }
  }
}
