// How long it takes from a clone to the first event, as the README says: `git clone`, `npm start`. Prints the times.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Milliseconds, on a slow network too. */
const PATIENCE = 600_000;

const folder = mkdtempSync(join(tmpdir(), 'tidings-clone-'));
const clone = join(folder, 'tidings');
const began = Date.now();
const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s`;

/** @type {import('node:child_process').ChildProcess | undefined} */
let app;
try {
  const cloned = spawnSync('git', ['clone', '--quiet', '--depth', '1', `file://${root}`, clone], {
    stdio: 'inherit',
  });
  if (cloned.status !== 0) throw new Error('git clone failed.');
  console.log(`${seconds()}: cloned`);
  app = spawn('npm', ['start'], {
    cwd: clone,
    env: { ...process.env, PORT: '0', HOST: '127.0.0.1' },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const url = await servedUrl(app);
  console.log(`${seconds()}: ${url} answers`);
  const response = await fetch(`${url}/events?topic=dashboard`, { signal: AbortSignal.timeout(60_000) });
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  let text = '';
  while (!text.includes('event: dashboard:')) {
    const { done, value } = await reader.read();
    if (done) throw new Error('The stream ended without an event.');
    text += new TextDecoder().decode(value);
  }
  await reader.cancel();
  console.log(`${seconds()}: the first event`);
} finally {
  if (app?.pid !== undefined && app.exitCode === null) {
    const exit = once(app, 'exit');
    // npm, its shell and the app, which are a group of their own. Nobody needs them any more.
    process.kill(-app.pid, 'SIGKILL');
    await exit;
  }
  rmSync(folder, { recursive: true, force: true });
}

/** @param {import('node:child_process').ChildProcess} child @returns {Promise<string>} */
function servedUrl(child) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('The app did not start in time.')), PATIENCE);
    child.once('exit', (code) => reject(new Error(`npm start ended with ${code}.`)));
    createInterface(/** @type {import('node:stream').Readable} */ (child.stdout)).on('line', (line) => {
      const url = /^The live app: (\S+)$/.exec(line)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    });
  });
}
