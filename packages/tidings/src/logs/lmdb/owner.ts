import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { threadId } from 'node:worker_threads';

/** The process that has a log open, or the thread of it. */
export interface Owner {
  readonly pid: number;
  readonly thread: number;
  /** When it started, in the machine's clock ticks; undefined where that can't be known. */
  readonly startedAt: string | undefined;
  readonly bootId: string;
  /** Whether others may have the log open at the same time. */
  readonly shared: boolean;
  /** The settings that all of them have to agree on, as text. */
  readonly settings: string;
}

export function ownProcess(shared: boolean, settings: string): Owner {
  const { pid } = process;
  return { pid, thread: threadId, startedAt: startOf(pid), bootId: bootId(), shared, settings };
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

/**
 * Field 22 of https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html; the second may contain spaces. One that has
 * ended, and that only its parent has not heard of yet, has none.
 */
function startOf(pid: number): string | undefined {
  const fields = readLine(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ');
  return fields === undefined || /^[ZX]/.test(fields[0] ?? '') ? undefined : fields[19];
}

function readLine(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    // No such process, or no such system.
    return undefined;
  }
}
