import { readFileSync, readdirSync } from 'node:fs';

/** Whether a process's usage can be read from outside: in the same way for all subjects, or not at all. */
export const canMeasure: boolean = process.platform === 'linux';

/** Nanoseconds of CPU that a process, its group and its descendants have taken so far; NaN where that is unknown. */
export function cpuTime(pid: number): number {
  if (!canMeasure) return Number.NaN;
  let total = 0;
  for (const member of processesOf(pid)) {
    for (const thread of list(`/proc/${member}/task`)) {
      total += Number(read(`/proc/${member}/task/${thread}/schedstat`).split(' ', 1)[0]);
    }
  }
  return total;
}

/** Resident bytes of a process, its group and its descendants. */
export function residentBytes(pid: number): number {
  if (!canMeasure) return Number.NaN;
  let total = 0;
  for (const member of processesOf(pid)) {
    total += Number(/^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${member}/status`))?.[1] ?? 0) * 1024;
  }
  return total;
}

/**
 * A process, its group, and the descendants of all these: children are started as leaders of a group, and PostgreSQL's
 * processes leave theirs. Empty where that is unknown.
 */
export function processesOf(pid: number): readonly number[] {
  const all = list('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(relativesOf);
  const found = new Set([pid, ...all.filter(({ group }) => group === pid).map((each) => each.pid)]);
  for (let before = 0; before < found.size;) {
    before = found.size;
    for (const each of all) if (found.has(each.parent)) found.add(each.pid);
  }
  return canMeasure ? [...found] : [];
}

function relativesOf(name: string): {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
} {
  // The name in parentheses may contain anything; then state, parent, group.
  const stat = read(`/proc/${name}/stat`);
  const [, parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 3);
  return { pid: Number(name), parent: Number(parent), group: Number(group) };
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
