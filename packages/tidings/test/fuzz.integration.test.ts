import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { DEADLINE } from '../../../scripts/deadline.ts';

const program = fileURLToPath(new URL('fuzz/dist/main.js', import.meta.url));
const transports = [
  'node:http',
  'hijack',
  'http2',
  'express5',
  'express4',
  'fastify',
  'koa',
  'hono',
  'server',
];

// `npm run fuzz` sends a hundred thousand. So few requests run before the code is compiled, which turns take time for.
const args = ['--requests=400', '--turn=250'];

test.each(transports)(
  '%s answers random requests as documented, without crash, unhandled rejection, long turn or leak',
  { timeout: 4 * DEADLINE },
  (transport) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [program, ...args, `--transport=${transport}`],
      {
        encoding: 'utf8',
        timeout: 3 * DEADLINE,
      },
    );
    expect(status, `${stdout}\n${stderr}`).toBe(0);
    expect(stdout).toMatch(/^Seed \d+\./);
  },
);
