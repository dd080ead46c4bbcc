// Builds a package anew before it is packed: without files left over from older sources. Runs in the package's folder.
import { execSync } from 'node:child_process';
import { rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
// The record of the last build may still be there: tsc would build nothing again.
rmSync('tsconfig.tsbuildinfo', { force: true });
// Standard output is npm's, which may be asked for JSON there. npm has put node_modules/.bin on the PATH.
execSync('tsc -b', { stdio: ['ignore', 2, 2] });
