import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../packages/tidings/test/faults/free-port.ts';
import { DEADLINE } from './deadline.ts';
import { installPacked } from './packed.mjs';
import { extractFiles } from './snippets.mjs';
import { extractSteps, prints } from './walkthrough.mjs';

const page = readFileSync(new URL('../docs/getting-started.md', import.meta.url), 'utf8');
const steps = extractSteps(page);

interface Terminal {
  readonly command: string;
  readonly process: ChildProcess;
  output: string;
}

describe('docs/getting-started.md', () => {
  const project = installPacked(['express', 'lmdb']);
  const terminals: Terminal[] = [];
  let port = 0;
  const here = (text: string): string => text.replaceAll('3000', String(port));

  beforeAll(async () => {
    port = await freePort();
    for (const [name, text] of extractFiles(page)) project.write(name, here(text));
  });
  afterAll(async () => {
    for (const { process } of terminals) await end(process);
    project.remove();
  });

  it.each(steps)('line $line: $command', async ({ kind, command, output }) => {
    if (kind === 'run') {
      const { status, stdout, stderr } = spawnSync('sh', ['-c', here(command)], {
        encoding: 'utf8',
        timeout: DEADLINE,
      });
      expect(status, stderr).toBe(0);
      if (output !== undefined && !prints(stdout, here(output))) expect(stdout).toBe(here(output));
      return;
    }
    // A server takes the port of the one before, which is killed: it has no time to say or save anything.
    const earlier = command.startsWith('node ')
      ? terminals.filter(({ command: other }) => other.startsWith('node '))
      : [];
    for (const { process } of earlier) await end(process);
    const started = start(here(command));
    terminals.push(started);
    await expect.poll(() => prints(started.output, here(output ?? '')), { timeout: DEADLINE }).toBe(true);
  });

  it('the stream that was opened first has shown what was published', async () => {
    const stream = terminals.find(({ command }) => command.startsWith('curl'));
    await expect.poll(() => stream?.output, { timeout: DEADLINE }).toContain('data: {"title":"It works"}');
  });

  function start(command: string): Terminal {
    const process = spawn('sh', ['-c', `exec ${command}`], {
      cwd: project.folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const terminal: Terminal = { command, process, output: '' };
    process.stdout.on('data', (chunk) => (terminal.output += String(chunk)));
    return terminal;
  }
});

async function end(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const exited = once(process, 'exit');
  process.kill('SIGKILL');
  await exited;
}
