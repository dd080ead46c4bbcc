import { expect, it } from 'vitest';
import { flagsOf } from '../config/flags.ts';
import { SETTINGS } from '../server/table.ts';
import type { Command } from './command.ts';
import { helpOf, overview } from './help.ts';

const command = (flags: Command['flags'], positionals = ''): Command => ({
  summary: 'Does it.',
  positionals,
  flags,
  run: () => Promise.resolve(0),
});

it('The help of a command lists every flag in lines that fit a terminal', () => {
  const flags = flagsOf(SETTINGS);
  const help = helpOf('serve', command(flags));
  for (const name of Object.keys(flags)) expect(help).toMatch(new RegExp(`^  (-\\w, )?--${name}\\b`, 'm'));
  for (const line of help.split('\n').filter((each) => !each.includes('|')))
    expect(line.length).toBeLessThanOrEqual(100);
  expect(help).toContain('\n\n  --tls-cert-file');
});

it('The help of a command without flags mentions none', () => {
  expect(helpOf('init', command({}, 'FRAMEWORK'))).toBe('Usage: tidings init FRAMEWORK\n\nDoes it.\n');
});

it('The overview has a line for each command', () => {
  expect(overview({ one: command({}), another: command({}) })).toContain(
    '  one      Does it.\n  another  Does it.\n',
  );
});
