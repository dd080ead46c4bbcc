import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DEADLINE } from '../../../../scripts/deadline.ts';
import { ask } from '../http/client.ts';
import { within } from '../http/deadline.ts';
import { runtimeBinary } from './binary.ts';

const program = fileURLToPath(new URL('program.mjs', import.meta.url));

const bun = (): string[] => [runtimeBinary('bun')];
const deno = (): string[] => [runtimeBinary('deno'), 'run', '--allow-all', '--quiet'];

const cases: readonly (readonly [string, () => string[], 'node' | 'fetch'])[] = [
  ['tidings/fetch on Node, served by Hono', () => [process.execPath], 'fetch'],
  ['tidings/fetch on Bun', bun, 'fetch'],
  ['tidings/node on Bun', bun, 'node'],
  ['tidings/fetch on Deno', deno, 'fetch'],
  ['tidings/node on Deno', deno, 'node'],
];

async function start(
  command: readonly string[],
  door: string,
): Promise<{ url: string; exit: Promise<number | null> }> {
  const [file = '', ...args] = command;
  const child = spawn(file, [...args, program, door], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  const [url] = (await within('URL of the program', once(createInterface(child.stdout), 'line'))) as [string];
  return { url, exit };
}

describe.each(cases)('%s', (_name, command, door) => {
  test('a stream brings events as they come, and heartbeats while there are none', async () => {
    const { url } = await start(command(), door);
    const { frames } = await ask(`${url}/events?topic=a`);
    await frames.nextEvent();
    await frames.until('heartbeat', () => frames.all.some(({ text }) => /^id: \S+$/.test(text)));
  });

  test('a peer that leaves is forgotten', async () => {
    const { url } = await start(command(), door);
    const connections = async (): Promise<string> => {
      const { frames } = await ask(`${url}/connections`);
      await frames.end();
      return frames.text;
    };
    const reply = await ask(`${url}/events?topic=a`);
    await reply.frames.nextEvent();
    expect(await connections()).toBe('1');
    reply.cut();
    await expect.poll(connections, { timeout: DEADLINE }).toBe('0');
  });

  test('a process that ends after `hub.close()` has sent everything, including the goodbye', async () => {
    const { url, exit } = await start(command(), door);
    const { frames } = await ask(`${url}/events?topic=a`);
    await frames.nextEvent();
    await ask(`${url}/close`, { method: 'POST' }).catch(() => undefined);
    await frames.until('end', () => frames.over);
    expect(frames.events.map(({ data }) => data)).toEqual(['1', '2', '3']);
    expect(frames.all.at(-1)?.type).toBe('tidings:goodbye');
    expect(await within('end of the process', exit)).toBe(0);
  });

  test('a process whose hub and server are closed, as the guide says, ends by itself', async () => {
    const { url, exit } = await start(command(), door);
    const { frames } = await ask(`${url}/events?topic=a`);
    await frames.nextEvent();
    await ask(`${url}/shutdown`, { method: 'POST' }).catch(() => undefined);
    await frames.until('end', () => frames.over);
    expect(frames.all.at(-1)?.type).toBe('tidings:goodbye');
    expect(await within('end of the process', exit)).toBe(0);
  });
});
