/** The single file, run from an empty folder, where it finds no packages. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEADLINE } from '../../../scripts/deadline.ts';
import { until } from '../../tidings/test/http/deadline.ts';
import { SECRET, makeFolder, removeFolder, tokenFor } from './server-process.ts';
import { bundle } from '../../../scripts/bundle.mjs';

const folder = makeFolder();
const file = join(folder, 'tidings.mjs');
beforeAll(() => bundle(file));
afterAll(() => removeFolder(folder));

describe('the single file', () => {
  test('says its version and helps, without any package next to it', () => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [file, '--version'], {
      encoding: 'utf8',
      cwd: folder,
    });
    expect({ stdout: stdout.trim(), stderr, status }).toEqual({
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      stderr: '',
      status: 0,
    });
  });

  test('says which package the log on disk needs', () => {
    const args = [file, 'serve', '--listen-port', '0', '--internal-port', '0'];
    const { stderr, status } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      cwd: folder,
      timeout: 2 * DEADLINE,
    });
    expect(stderr).toContain('npm install lmdb');
    expect(status).not.toBe(0);
  });

  test('serves, takes events and has its console', async () => {
    const ports = ['--listen-port', '0', '--internal-port', '0'];
    const server = spawn(process.execPath, [file, 'serve', '--log-url', 'memory:', ...ports], {
      cwd: folder,
      env: {
        ...process.env,
        TIDINGS_AUTH_JWT_SECRET: SECRET,
        TIDINGS_INTERNAL_TOKEN: 'a-token-of-the-tests-for-the-console',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    server.stdout.on('data', (chunk: Buffer) => (output += String(chunk)));
    try {
      await until('serving', () => output.includes('"msg":"serving"'));
      const line = output.split('\n').find((each) => each.includes('"msg":"serving"')) ?? '';
      const { publicUrl, internalUrl } = JSON.parse(line) as { publicUrl: string; internalUrl: string };
      const published = await fetch(`${publicUrl}/v1/publish`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${await tokenFor('me', { publish: ['*'] })}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ topics: 'news', data: 'from one file' }),
      });
      expect(published.status, await published.text()).toBe(200);
      const page = await (await fetch(`${internalUrl}/console/`)).text();
      const scripts = [...page.matchAll(/(?:src|href)="([\w.-]+\.(?:js|css))"/g)].map(
        ([, name = '']) => name,
      );
      expect(scripts.length).toBeGreaterThan(1);
      for (const name of scripts)
        expect((await fetch(`${internalUrl}/console/${name}`)).status, name).toBe(200);
    } finally {
      const exited = once(server, 'exit');
      server.kill();
      await exited;
    }
  });
});
