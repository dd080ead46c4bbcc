import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, test } from 'vitest';
import { logContract } from '../../testing/log-contract.ts';
import { lmdbLog } from './index.ts';

const folders: string[] = [];

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-lmdb-'));
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

describe('the LMDB log', () => {
  test.each(logContract)('$name', ({ run }) => run((options) => lmdbLog({ ...options, path: newFolder() })));
});
