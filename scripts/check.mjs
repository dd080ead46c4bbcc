// `npm run check`: all scripts of package.json that are named `check:…`. The first one builds; the others use what it built,
// and run two at a time. A failing one does not stop the others: one round shows everything there is to fix.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const AT_ONCE = 2;

/** @type {{ scripts: Record<string, string> }} */
const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const [first, ...others] = Object.entries(scripts).filter(([name]) => name.startsWith('check:'));
/** @type {string[]} */
const failed = [];

if (first !== undefined) await check(...first);
await Promise.all(Array.from({ length: AT_ONCE }, checkNext));

if (failed.length > 0) {
  console.error(`Failed: ${failed.join(', ')}.`);
  process.exitCode = 1;
}

/** @returns {Promise<void>} */
async function checkNext() {
  const next = others.shift();
  if (next === undefined) return;
  await check(...next);
  return checkNext();
}

/** @param {string} name @param {string} command */
async function check(name, command) {
  const start = performance.now();
  const { status, output } = await run(command);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'}  ${name} (${seconds} s)`);
  // Sizes are worth reading while they are still within their budgets.
  if (status === 0 && name === 'check:size') console.log(output.trimEnd());
  if (status === 0) return;
  failed.push(name);
  console.log(`\n> ${command}\n${output}`);
}

/** @param {string} command @returns {Promise<{ status: number | null, output: string }>} */
function run(command) {
  return new Promise((resolve, reject) => {
    // npm has put node_modules/.bin on the PATH.
    const child = spawn(command, { shell: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    }
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, output }));
  });
}
