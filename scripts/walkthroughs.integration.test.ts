import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../packages/tidings/test/faults/free-port.ts';
import { DEADLINE } from './deadline.ts';
import { php } from './needs.mjs';
import { installPacked } from './packed.mjs';
import { extractFiles } from './snippets.mjs';
import { extractSteps, prints } from './walkthrough.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Terminal {
  readonly command: string;
  readonly process: ChildProcess;
  output: string;
}

/** Pages that take their readers through a terminal, with the ports they name. */
const pages = [
  { page: 'docs/getting-started.md', ports: ['3000'], last: 'data: {"title":"It works"}' },
  { page: 'docs/server/quickstart.md', ports: ['3333', '3334'], last: 'data: {"title":"From Python"}' },
];

describe.each(pages)('$page', ({ page, ports, last }) => {
  const text = readFileSync(join(root, page), 'utf8');
  const project = installPacked(['express', 'lmdb']);
  const terminals: Terminal[] = [];
  const taken = new Map<string, number>();
  const here = (part: string): string =>
    [...taken].reduce((changed, [port, free]) => changed.replaceAll(port, String(free)), part);
  const environment: NodeJS.ProcessEnv = { ...process.env, PATH: `${project.folder}:${process.env['PATH']}` };

  beforeAll(async () => {
    for (const port of ports) taken.set(port, await freePort());
    environment['TIDINGS_INTERNAL_PORT'] = String(taken.get('3334') ?? 0);
    for (const [name, content] of extractFiles(text)) project.write(name, here(content));
    // Stands for the command that the page installs.
    project.write('tidings', `#!/bin/sh\nexec node '${root}packages/server/dist/main.js' "$@"\n`);
    chmodSync(join(project.folder, 'tidings'), 0o755);
    const port = taken.get('3333');
    if (port === undefined) return;
    environment['TIDINGS_LISTEN_PORT'] = String(port);
    environment['TIDINGS_URL'] = `http://127.0.0.1:${port}`;
    spawnSync(join(root, 'node_modules/.bin/tsc'), ['-b', 'packages/server'], { cwd: root });
  });
  afterAll(async () => {
    for (const { process } of terminals) await end(process);
    project.remove();
  });

  const isMissing = text.includes('```php') && php.find() === undefined;
  it.for(extractSteps(text))('line $line: $command', async ({ kind, command, output }, { skip }) => {
    if (isMissing) skip(`${php.name} is missing: ${php.howTo}`);
    if (kind === 'run') {
      const run = { cwd: project.folder, env: environment, encoding: 'utf8', timeout: DEADLINE } as const;
      const { status, stdout, stderr } = spawnSync('sh', ['-c', here(command)], run);
      expect(status, stderr).toBe(0);
      if (output !== undefined && !prints(stdout, here(output))) expect(stdout).toBe(here(output));
      return;
    }
    // A server takes the port of the one before, which is killed: it has no time to say or save anything.
    const earlier = isServer(command) ? terminals.filter((each) => isServer(each.command)) : [];
    for (const { process } of earlier) await end(process);
    const started = start(here(command));
    terminals.push(started);
    await expect.poll(() => prints(started.output, here(output ?? '')), { timeout: DEADLINE }).toBe(true);
    const port = taken.get('3333');
    if (isServer(command) && port !== undefined)
      await expect.poll(() => answers(port), { timeout: DEADLINE }).toBe(true);
  });

  it('the stream that was opened first has shown what was published', async ({ skip }) => {
    if (isMissing) skip(`${php.name} is missing: ${php.howTo}`);
    const stream = terminals.find(({ command }) => command.startsWith('curl'));
    await expect.poll(() => stream?.output, { timeout: DEADLINE }).toContain(last);
  });

  function start(command: string): Terminal {
    const process = spawn('sh', ['-c', `exec ${command}`], {
      cwd: project.folder,
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const terminal: Terminal = { command, process, output: '' };
    process.stdout.on('data', (chunk) => (terminal.output += String(chunk)));
    return terminal;
  }
});

const isServer = (command: string): boolean => /^(node|tidings serve)\b/.test(command);

async function answers(port: number): Promise<boolean> {
  try {
    await fetch(`http://127.0.0.1:${port}/`);
    return true;
  } catch {
    return false;
  }
}

async function end(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const exited = once(process, 'exit');
  process.kill('SIGKILL');
  await exited;
}
