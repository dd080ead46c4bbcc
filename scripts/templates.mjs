// Puts the small apps of examples/servers into the package of the server for `tidings init`, and with `--remove` takes them out
// again. Runs in the package's folder, before and after it is packed.
import { cpSync, rmSync } from 'node:fs';
import { basename } from 'node:path';

const LEFT_OUT = new Set([
  'node_modules',
  'dist',
  'test',
  'tsconfig.json',
  'tsconfig.tsbuildinfo',
  'README.md',
]);

rmSync('templates', { recursive: true, force: true });
if (!process.argv.includes('--remove')) {
  cpSync('../../examples/servers', 'templates', {
    recursive: true,
    filter: (path) => !LEFT_OUT.has(basename(path)),
  });
}
