import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { threadId } from 'node:worker_threads';

/** Which process has a log open; or which thread of it. */
export interface Owner {
  readonly pid: number;
  readonly thread: number;
  /** When it started, in the machine's clock ticks; undefined where that can't be known. */
  readonly startedAt: string | undefined;
  readonly bootId: string;
  /** Whether others may have the log open at the same time. */
  readonly shared: boolean;
}

export function ownProcess(shared: boolean): Owner {
  const { pid } = process;
  return { pid, thread: threadId, startedAt: startOf(pid), bootId: bootId(), shared };
}

export function isOwn({ pid, thread, startedAt }: Owner): boolean {
  return pid === process.pid && thread === threadId && startedAt === startOf(pid);
}

/**
 * Whether that very process still runs, and not another that got its number since. Where it can't be known, which is
 * anywhere but on Linux, it is taken to have ended: a crash must not keep a server from starting again.
 */
export function isRunning({ pid, startedAt, bootId: boot }: Owner): boolean {
  return startedAt !== undefined && boot === bootId() && startOf(pid) === startedAt;
}

/** Differs after each start of the machine; where that can't be known, at each call. */
export function bootId(): string {
  return readLine('/proc/sys/kernel/random/boot_id') ?? randomUUID();
}

/** Field 22 of https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html; the second may contain spaces. */
function startOf(pid: number): string | undefined {
  return readLine(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ')[19];
}

function readLine(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    // No such process, or no such system.
    return undefined;
  }
}
