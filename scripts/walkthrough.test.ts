import { expect, it } from 'vitest';
import { extractSteps, prints } from './walkthrough.mjs';

const page = (...lines: string[]): string => lines.join('\n');

it('extractSteps takes the commands that are to be tried, with what they print', () => {
  const markdown = page(
    '```sh',
    'npm ci',
    '```',
    '```sh start',
    'node a.js',
    '```',
    '',
    '```text',
    'ready',
    '```',
    'Then:',
    '```sh run',
    'curl x',
    '```',
    'And:',
    '```text',
    'else',
    '```',
  );
  expect(extractSteps(markdown)).toEqual([
    { kind: 'start', command: 'node a.js', output: 'ready', line: 4 },
    { kind: 'run', command: 'curl x', output: undefined, line: 12 },
  ]);
});

it('prints compares the beginning, and leaves open what differs', () => {
  expect(prints('id: h4Qd.1\ndata: x\n\nmore', 'id: ….1\ndata: x')).toBe(true);
  expect(prints('id: h4Qd.2\ndata: x', 'id: ….1\ndata: x')).toBe(false);
});
