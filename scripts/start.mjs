// Makes the live app ready to run, for `npm start`: installs what it needs on a fresh clone, and builds what has changed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const live = `${root}examples/live/`;

/**
 * A sixth of what `npm ci` installs: what the app and the library are made with, and Vite. No types, nothing to check or test
 * it, and no scripts: native modules come built.
 */
const INSTALL = [
  'ci',
  ...['--workspace', '@tidings/live', '--omit=dev', '--legacy-peer-deps', '--ignore-scripts'],
  ...['--prefer-offline', '--no-audit', '--no-fund'],
];
const BUILD_PAGES = [`${root}node_modules/vite/bin/vite.js`, 'build', '--logLevel', 'warn'];

/** Sources of the pages; of the library, as it was built. */
const PARTS_OF_PAGES = [
  ...[`${live}src/pages`, `${live}src/shared`, `${live}vite.config.ts`, `${live}package.json`],
  ...[`${root}packages/tidings/dist`, `${root}package-lock.json`],
];

if (!existsSync(`${root}node_modules`)) {
  console.log('Installing what the live app needs. `npm ci` installs everything else.');
  await run('npm', INSTALL);
}
// It comes with Vite, so it may have been installed only now.
const { transpileFolder } = await import('./transpile.mjs');
const written = [
  ['packages/tidings/src', 'packages/tidings/dist'],
  ['examples/live/src/server', 'examples/live/dist/server'],
  ['examples/live/src/shared', 'examples/live/dist/shared'],
].reduce((sum, [from, to]) => sum + transpileFolder(`${root}${from}`, `${root}${to}`), 0);
if (written > 0) console.log(`Built ${written} files of the library and the server.`);
if (PARTS_OF_PAGES.some((part) => changedAt(part) > builtAt())) {
  console.log('Building the pages.');
  await run(process.execPath, BUILD_PAGES, live);
}

/** Ends this process, too, if the program fails. @param {string} program @param {readonly string[]} args @param {string} cwd */
async function run(program, args, cwd = root) {
  const child = spawn(program, args, { cwd, stdio: 'inherit' });
  const [status] = await once(child, 'exit');
  if (status !== 0) process.exit(status ?? 1);
}

/** When the newest file of a folder was written. @param {string} path @returns {number} */
function changedAt(path) {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  // The folder itself changes when a file in it is removed.
  return Math.max(stats.mtimeMs, ...readdirSync(path).map((name) => changedAt(`${path}/${name}`)));
}

/** When the pages were built: the last file of the build is the compressed form of this one. */
function builtAt() {
  const file = `${live}dist/pages/index.html.gz`;
  return existsSync(file) ? statSync(file).mtimeMs : 0;
}
