import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { installPacked } from './packed.mjs';
import { extractSnippets } from './snippets.mjs';

const page = 'docs/guides/write-your-own-log.md';
const guide = readFileSync(fileURLToPath(new URL(`../${page}`, import.meta.url)), 'utf8');
const project = installPacked();
afterAll(() => project.remove());

test('a log written outside of the package, with its public exports alone, keeps the contract', () => {
  const program = extractSnippets(page, guide).find(({ name }) => name.endsWith('journal.ts'));
  project.write('journal.ts', program?.text ?? '');
  expect(project.compile()).toBe('');
  const { status, output } = project.run('journal.js');
  expect({ status, failed: output.split('\n').filter((line) => /^\s*not ok|✖/.test(line)) }).toEqual({
    status: 0,
    failed: [],
  });
  expect(output).toMatch(/pass (?:[4-9]\d|\d{3})/);
});
