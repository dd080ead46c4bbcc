import { readFileSync, readdirSync } from 'node:fs';

/** Whether a process's usage can be read from outside: in the same way for all subjects, or not at all. */
export const canMeasure: boolean = process.platform === 'linux';

/** Nanoseconds of CPU that a process and its group have taken so far; NaN where that is unknown. */
export function cpuTime(pid: number): number {
  if (!canMeasure) return Number.NaN;
  let total = 0;
  for (const member of group(pid)) {
    for (const thread of list(`/proc/${member}/task`)) {
      total += Number(read(`/proc/${member}/task/${thread}/schedstat`).split(' ', 1)[0]);
    }
  }
  return total;
}

/** Resident bytes of a process and its group. */
export function residentBytes(pid: number): number {
  if (!canMeasure) return Number.NaN;
  let total = 0;
  for (const member of group(pid)) {
    total += Number(/^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${member}/status`))?.[1] ?? 0) * 1024;
  }
  return total;
}

/** Children are started as leaders of a group, in which their own children are. */
function group(pid: number): string[] {
  return list('/proc').filter((name) => /^\d+$/.test(name) && groupOf(name) === pid);
}

function groupOf(pid: string): number | undefined {
  // The name in parentheses may contain anything; then state, parent, group.
  const stat = read(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ', 3)[2]);
}

function list(path: string): string[] {
  return ifThere(() => readdirSync(path)) ?? [];
}

function read(path: string): string {
  return ifThere(() => readFileSync(path, 'utf8')) ?? '';
}

/** Processes and threads may end while they are looked at. */
function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
