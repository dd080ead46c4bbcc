// `npm run check`: all scripts of package.json that are named `check:…`, in their order. A failing one does not
// stop the others: one round shows everything there is to fix.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** @type {{ scripts: Record<string, string> }} */
const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const checks = Object.entries(scripts).filter(([name]) => name.startsWith('check:'));
const failed = [];

for (const [name, command] of checks) {
  const start = performance.now();
  // npm has put node_modules/.bin on the PATH.
  const { status, stdout, stderr } = spawnSync(command, { shell: true, encoding: 'utf8' });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'}  ${name} (${seconds} s)`);
  // Sizes are worth reading while they are still within their budgets.
  if (status === 0 && name === 'check:size') console.log(stdout.trimEnd());
  if (status === 0) continue;
  failed.push(name);
  console.log(`\n> ${command}\n${stdout}${stderr}`);
}

if (failed.length > 0) {
  console.error(`${failed.length} of ${checks.length} checks failed: ${failed.join(', ')}.`);
  process.exitCode = 1;
}
