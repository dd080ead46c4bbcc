// The server as one file: `npm run bundle` writes release/tidings.mjs. It holds everything but lmdb, which has a part in
// C++: with `npm install lmdb` next to it, it keeps events on disk; without, in memory, Redis or PostgreSQL.
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'packages/server/dist');

/**
 * @param {string} file where to write it
 */
export async function bundle(file) {
  const { consoleFiles } = await import(pathToFileURL(join(dist, 'operation/console-files.js')).href);
  const { version } = JSON.parse(readFileSync(join(dist, '../package.json'), 'utf8'));
  /** Modules that read files of the package, and what they would have read. @type {Record<string, string>} */
  const replaced = {
    [join(dist, 'version.js')]: `export const VERSION = ${JSON.stringify(version)};`,
    [join(dist, 'operation/console-files.js')]:
      `export const consoleFiles = () => (${JSON.stringify(consoleFiles())});`,
  };
  const build = await rolldown({
    input: join(dist, 'main.js'),
    platform: 'node',
    external: ['lmdb', 'pg-native'],
    plugins: [{ name: 'files-of-the-package', load: (id) => replaced[id] ?? null }],
    logLevel: 'warn',
  });
  await build.write({
    file,
    format: 'es',
    codeSplitting: false,
    comments: { legal: true, annotation: false, jsdoc: false },
  });
  await build.close();
  chmodSync(file, 0o755);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = join(root, 'release');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'tidings.mjs');
  await bundle(file);
  console.log(file);
}
