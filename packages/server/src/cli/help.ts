import type { Command, Flag } from './command.ts';

export function overview(commands: Readonly<Record<string, Command>>): string {
  const rows = Object.entries(commands).map(([name, { summary }]) => [name, summary] as const);
  return [
    'Usage: tidings COMMAND [options]',
    '',
    ...columns(rows),
    '',
    'tidings help COMMAND tells more about one of them, tidings --version prints the version.',
    '',
  ].join('\n');
}

export function helpOf(name: string, { summary, positionals, about, flags }: Command): string {
  const all = Object.entries(flags);
  const usage = ['Usage: tidings', name, positionals, all.length === 0 ? '' : '[options]'];
  return [
    usage.filter((word) => word !== '').join(' '),
    '',
    summary,
    ...(about === undefined ? [] : ['', about]),
    ...inGroups(all).flatMap((group) => [
      '',
      ...columns(group.map(([flag, spec]) => [spelling(flag, spec), spec.help] as const)),
    ]),
    '',
  ].join('\n');
}

type Named = readonly [name: string, flag: Flag];

/** Nobody finds anything in a block longer than this. */
const LONGEST_GROUP = 20;

/** Many flags stand in groups, by the first word of their names. */
function inGroups(flags: readonly Named[]): readonly (readonly Named[])[] {
  if (flags.length <= LONGEST_GROUP) return flags.length === 0 ? [] : [flags];
  const groups = new Map<string, Named[]>();
  for (const each of flags) {
    const [first = ''] = each[0].split('-', 1);
    groups.set(first, [...(groups.get(first) ?? []), each]);
  }
  return [...groups.values()];
}

function spelling(name: string, { short, value, type }: Flag): string {
  const flag = short === undefined ? `--${name}` : `-${short}, --${name}`;
  return type === 'boolean' ? flag : `${flag} ${value ?? 'TEXT'}`;
}

/** Characters of a line, and of its left column. */
const WIDTH = 100;
const LEFT = 34;

/** A left side that is too long for its column has a line of its own. */
function columns(rows: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length).filter((length) => length <= LEFT));
  const indent = ' '.repeat(width + 4);
  return rows.flatMap(([left, right]) => {
    const [first = '', ...more] = wrapped(right, WIDTH - indent.length);
    const begin = left.length > width ? [`  ${left}`, indent + first] : [`  ${left.padEnd(width)}  ${first}`];
    return [...begin, ...more.map((line) => indent + line)];
  });
}

function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
