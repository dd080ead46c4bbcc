import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from '../harness/child.ts';
import { makeFolder, removeFolder } from '../harness/folders.ts';
import { type Subject, toServer } from '../harness/subject.ts';

const source = fileURLToPath(new URL('../../src/subjects/send-loop.c', import.meta.url));
const name = 'send() loop (C)';

/** The floor: the kernel's cost of one `send()` per connection and event, and next to nothing else. */
export const sendLoop: Subject = {
  name,
  missing:
    spawnSync('cc', ['--version']).status === 0 ? undefined : 'there is no C compiler: apt-get install gcc',
  async start() {
    const folder = makeFolder();
    const binary = join(folder, 'send-loop');
    try {
      const { status, stderr } = spawnSync('cc', ['-O2', '-Wall', '-o', binary, source], {
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(`cc failed:\n${stderr}`);
      return await toServer(startChild({ name, core: 'subject', command: [binary] }));
    } finally {
      // A running program no longer needs its file.
      removeFolder(folder);
    }
  },
};
