// Turns TypeScript into what Node runs, without checking types: file by file, and only those that changed. `npm start` uses
// it, since tsc would need the types of every framework and a good part of the time to the first page. `npm run build` is for
// everything else.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { transformSync } from 'rolldown/utils';

/** The same as in tsconfig.base.json, where it matters to what is written. */
const OPTIONS = /** @type {const} */ ({
  lang: 'ts',
  sourcemap: true,
  target: 'es2023',
  typescript: { onlyRemoveTypeImports: true, rewriteImportExtensions: 'rewrite' },
});

/**
 * Writes a JavaScript file with its source map for every source of a folder that has none, or an older one.
 *
 * @param {string} source
 * @param {string} target
 * @returns {number} how many were written
 * @throws {Error} with what is wrong in which file
 */
export function transpileFolder(source, target) {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(isSource);
  const changed = files
    .map((file) => ({ from: join(source, file), to: join(target, file.replace(/\.ts$/, '.js')) }))
    .filter(({ from, to }) => changedAt(from) > changedAt(to));
  for (const { from, to } of changed) {
    transpileFile(from, to);
    // Both in the platform's own way of writing them.
    forgetBuild(dirname(to), join(target));
  }
  return changed.length;
}

/** @param {string} file */
function isSource(file) {
  return file.endsWith('.ts') && !/\.(?:test|test-d|d)\.ts$/.test(file);
}

/** @param {string} file */
function changedAt(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** @param {string} from @param {string} to */
function transpileFile(from, to) {
  const { code, map, errors } = transformSync(from, readFileSync(from, 'utf8'), OPTIONS);
  if (errors.length > 0) throw new Error(`${from}: ${errors.map(({ message }) => message).join('\n')}`);
  const folder = dirname(to);
  mkdirSync(folder, { recursive: true });
  const name = basename(to);
  const { sourcesContent: _, ...positions } = /** @type {NonNullable<typeof map>} */ (map);
  writeFileSync(
    `${to}.map`,
    JSON.stringify({ ...positions, file: name, sources: [relative(folder, from).replaceAll('\\', '/')] }),
  );
  // Whole or not at all: if this is broken off, the next start doesn't take half a file for a new one.
  writeFileSync(`${to}.new`, `${code}//# sourceMappingURL=${name}.map\n`);
  renameSync(`${to}.new`, to);
}

/** Otherwise `tsc -b` would take files for its own that it hasn't written. @param {string} folder @param {string} top */
function forgetBuild(folder, top) {
  rmSync(join(folder, 'tsconfig.tsbuildinfo'), { force: true });
  if (folder !== top) forgetBuild(dirname(folder), top);
}
