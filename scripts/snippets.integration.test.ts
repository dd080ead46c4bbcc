import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEADLINE } from './deadline.ts';
import {
  type PostgresServer,
  hasPostgres,
  startPostgres,
} from '../packages/tidings/test/engines/postgres.ts';
import { extractSnippets, findPages, writeSnippets } from './snippets.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, '.snippets');

const snippets = findPages(root).flatMap((page) =>
  extractSnippets(page, readFileSync(join(root, page), 'utf8')),
);

describe('the snippets of the docs', () => {
  let errors: string[] = [];
  let database: PostgresServer | undefined;

  beforeAll(async () => {
    tsc('-b', 'packages/tidings');
    writeSnippets(folder, snippets);
    if (snippets.length > 0) errors = tsc('-p', folder, '--pretty', 'false').split('\n');
    if (hasPostgres) database = await startPostgres('fsync=off');
  }, 5 * DEADLINE);
  afterAll(() => database?.stop());

  it('have no error outside of the snippets', () => {
    const foreign = errors.filter(
      (line) => /error TS/.test(line) && !snippets.some(({ name }) => line.includes(name)),
    );
    expect(foreign).toEqual([]);
  });

  for (const { name, page, run, text } of snippets) {
    it(`${page}: ${name} compiles`, () => {
      expect(errors.filter((line) => line.includes(`${name}(`))).toEqual([]);
    });
    // Snippets that need PostgreSQL take it from `DATABASE_URL`.
    const isRunnable = hasPostgres || !text.includes('DATABASE_URL');
    if (!run) continue;
    it.runIf(isRunnable)(`${page}: ${name} runs`, { timeout: 2 * DEADLINE }, () => {
      const script = join(folder, 'out', name.replace(/\.ts$/, '.js'));
      const { status, signal, stdout, stderr } = spawnSync(process.execPath, [script], {
        encoding: 'utf8',
        timeout: DEADLINE,
        env: { ...process.env, DATABASE_URL: database?.url },
      });
      expect({ status, signal, output: status === 0 ? '' : stdout + stderr }).toEqual({
        status: 0,
        signal: null,
        output: '',
      });
    });
  }
});

function tsc(...args: string[]): string {
  return spawnSync(join(root, 'node_modules/.bin/tsc'), args, { cwd: root, encoding: 'utf8' }).stdout;
}
