import type { Command, Flag } from './command.ts';

export function overview(commands: Readonly<Record<string, Command>>): string {
  const rows = Object.entries(commands).map(([name, { summary }]) => [name, summary] as const);
  return [
    'Usage: tidings COMMAND [options]',
    '',
    ...columns(rows),
    '',
    'tidings help COMMAND tells more about one of them.',
    '',
  ].join('\n');
}

export function helpOf(name: string, { summary, positionals, about, flags }: Command): string {
  const rows = Object.entries(flags).map(([flag, spec]) => [spelling(flag, spec), spec.help] as const);
  return [
    `Usage: tidings ${name}${positionals === '' ? '' : ` ${positionals}`} [options]`,
    '',
    summary,
    ...(about === undefined ? [] : ['', about]),
    ...(rows.length === 0 ? [] : ['', ...columns(rows)]),
    '',
  ].join('\n');
}

function spelling(name: string, { short, value, type }: Flag): string {
  const flag = short === undefined ? `--${name}` : `-${short}, --${name}`;
  return type === 'boolean' ? flag : `${flag} ${value ?? 'TEXT'}`;
}

function columns(rows: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
