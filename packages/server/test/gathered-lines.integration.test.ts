import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const modulePath = fileURLToPath(new URL('../dist/server/gathered-lines.js', import.meta.url));

/** Logs from a process whose standard output is a pipe that does not block, as that of the program. */
function logging(body: string): ChildProcessByStdio<null, Readable, Readable> {
  const script = `
    import { pino } from 'pino';
    import { gatherLines } from ${JSON.stringify(modulePath)};
    process.stdout.on('error', () => {});
    const logger = pino({}, gatherLines());
    ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return child;
}

/** The numbers of all lines. A slow reader takes some milliseconds for each chunk. */
async function numbersOf(stdout: Readable, milliseconds = 0): Promise<readonly number[]> {
  let text = '';
  for await (const chunk of stdout) {
    text += String(chunk);
    if (milliseconds > 0) await wait(milliseconds);
  }
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => (JSON.parse(line) as { i: number }).i);
}

test('no line is lost, and none overtakes another, if the process exits while its reader is slow', async () => {
  const child = logging(`
    for (let i = 0; i < 3000; i += 1) logger.info({ i }, 'x'.repeat(500));
    setTimeout(() => {
      for (let i = 3000; i < 3100; i += 1) logger.info({ i }, 'x'.repeat(500));
      process.exit(1);
    }, 50);`);
  const numbers = await numbersOf(child.stdout, 10);
  expect(numbers).toEqual(Array.from({ length: 3100 }, (_, i) => i));
});

test.each([
  ['exits', 'process.exit(3);'],
  ['fails', "throw new Error('a crash');"],
  ['has a fatal error', "logger.fatal({ i: 1 }, 'fatal'); process.kill(process.pid, 'SIGKILL');"],
])('a process that %s has written what it logged just before', async (how, end) => {
  const numbers = await numbersOf(logging(`logger.info({ i: 0 }, 'first'); ${end}`).stdout);
  expect(numbers).toEqual(how === 'has a fatal error' ? [0, 1] : [0]);
});

test('a line that waits is written soon, without others and without an end', async () => {
  const child = logging("logger.info({ i: 0 }, 'alone'); setTimeout(() => {}, 60_000);");
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  expect(String(chunk)).toContain('alone');
  child.kill('SIGKILL');
});

test('a process whose reader is gone ends all the same', async () => {
  const child = logging(`
    setInterval(() => logger.info('x'.repeat(5000)), 5);
    setTimeout(() => { logger.fatal('the end'); process.exit(4); }, 300);`);
  child.stdout.once('data', () => child.stdout.destroy());
  const [status] = (await once(child, 'exit')) as [number];
  expect(status).toBe(4);
});
