// The published packages: lists them, packs them, and checks the results.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';

/**
 * @typedef {{ name: string, version: string, private?: boolean, exports?: unknown, bin?: Record<string, string>,
 *   peerDependencies?: Record<string, string> }} Manifest
 * @typedef {{ manifest: Manifest, file: string }} Packed the tarball of a package
 */

/** @param {string} path @returns {Manifest} */
function readManifest(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/**
 * Packs every package of `packages/` that isn't private, as `npm publish` would.
 *
 * @param {string} root a checkout with its dependencies installed
 * @param {string} destination a folder for the tarballs
 * @returns {Packed[]}
 */
export function packAll(root, destination) {
  mkdirSync(destination, { recursive: true });
  const folders = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name));
  return folders.flatMap((folder) => {
    const manifest = readManifest(join(folder, 'package.json'));
    if (manifest.private === true) return [];
    run('npm', ['pack', '--silent', '--pack-destination', destination], folder);
    const base = manifest.name.replace(/^@/, '').replace('/', '-');
    return [{ manifest, file: join(destination, `${base}-${manifest.version}.tgz`) }];
  });
}

/**
 * @param {readonly Packed[]} packed
 * @param {string} root where the tools are installed, and the packages that ours have as peers
 * @returns {string[]} their faults, one problem per line
 */
export function checkPacked(packed, root) {
  const problems = packed.flatMap(({ manifest, file }) => {
    const unpacked = mkdtempSync(join(tmpdir(), 'tidings-packed-'));
    try {
      run('tar', ['-xzf', file, '-C', unpacked], root);
      const contents = contentProblems(manifest, join(unpacked, 'package'));
      return [
        ...contents,
        ...outputOf(root, 'publint', ['run', file, '--strict']),
        ...outputOf(root, 'attw', [file, '--profile', 'esm-only']),
      ].map((line) => `${manifest.name}: ${line}`);
    } finally {
      rmSync(unpacked, { recursive: true });
    }
  });
  return problems.length > 0 ? problems : installProblems(packed, root);
}

/** Files that belong to the repository and not to a package. */
const foreign = /\.test(-d)?\.|\.tsbuildinfo$|(^|\/)(tsconfig[^/]*\.json|node_modules|test)(\/|$)|\.tgz$/;

/** @param {Manifest} manifest @param {string} folder the package, unpacked */
function contentProblems(manifest, folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    );
  const has = new Set(files);
  const targets = [manifest.exports, manifest.bin].flatMap(paths).map((path) => posix.normalize(path));
  const compiled = files.filter((path) => path.startsWith('dist/') && path.endsWith('.js'));
  const sourceOf = (/** @type {string} */ path) => path.replace(/^dist\//, 'src/').replace(/\.js$/, '.ts');
  const outputs = new Set(compiled.map(sourceOf));
  const maps = files.filter((path) => path.endsWith('.map'));
  return [
    ...['README.md', 'LICENSE', 'package.json', ...targets]
      .filter((path) => !has.has(path))
      .map((path) => `${path} is missing.`),
    ...files.filter((path) => foreign.test(path)).map((path) => `${path} has no place in a package.`),
    ...(compiled.length === 0 ? ['dist is missing.'] : []),
    ...compiled
      .filter((path) => !has.has(path.replace(/\.js$/, '.d.ts')))
      .map((path) => `${path} has no types.`),
    // Left over from a build of older sources, or not built at all.
    ...compiled.filter((path) => !has.has(sourceOf(path))).map((path) => `${path} has no source.`),
    ...files
      .filter((path) => /^src\/.*(?<!\.d)\.ts$/.test(path) && !outputs.has(path))
      .map((path) => `${path} is not compiled.`),
    ...maps.flatMap((path) =>
      sourcesOf(join(folder, path))
        .map((source) => posix.join(dirname(path), source))
        .filter((source) => !has.has(source))
        .map((source) => `${path} leads to ${source}, which is missing.`),
    ),
  ];
}

/** @param {string} map @returns {string[]} */
function sourcesOf(map) {
  return JSON.parse(readFileSync(map, 'utf8')).sources;
}

/** All strings in a value that may be nested conditions. @param {unknown} value @returns {string[]} */
function paths(value) {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(paths) : [];
}

/**
 * Installs the tarballs into an empty project outside of the repository, then imports every export there and
 * compiles a program that does, with the types of the packages themselves checked as well.
 *
 * @param {readonly Packed[]} packed @param {string} root
 */
function installProblems(packed, root) {
  const project = mkdtempSync(join(tmpdir(), 'tidings-consumer-'));
  try {
    const names = packed.flatMap(({ manifest }) => exportedNames(manifest));
    const peers = packed.flatMap(({ manifest }) => Object.keys(manifest.peerDependencies ?? {}));
    const others = [...new Set([...peers, '@types/node'])]
      .filter((name) => !packed.some(({ manifest }) => manifest.name === name))
      .map((name) => `${name}@${readManifest(join(root, 'node_modules', name, 'package.json')).version}`);
    writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
    const files = packed.map(({ file }) => file);
    run(
      'npm',
      [
        'install',
        '--prefer-offline',
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        '--loglevel=error',
        ...files,
        ...others,
      ],
      project,
    );

    const imports = names.map((name, i) => `import * as module${i} from '${name}';\n`);
    const check = names.map(
      (name, i) => `if (Object.keys(module${i}).length === 0) throw new Error('${name} exports nothing');\n`,
    );
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      strict: true,
      exactOptionalPropertyTypes: true,
      types: ['node'],
    };
    writeFileSync(join(project, 'all.ts'), [...imports, ...check].join(''));
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['all.ts'] }));
    const own = ['all.ts', ...packed.map(({ manifest }) => `node_modules/${manifest.name}/`)];
    const errors = outputOf(root, 'tsc', ['-p', project, '--pretty', 'false'], project)
      .flatMap((output) => output.split('\n'))
      // Types of others may not agree among themselves; ours have to.
      .filter((line) => own.some((start) => line.startsWith(start)));
    if (errors.length > 0) return errors;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['all.js'], {
      cwd: project,
      encoding: 'utf8',
    });
    return status === 0 ? [] : [`The exports can't be imported:\n${stdout}${stderr}`];
  } finally {
    rmSync(project, { recursive: true });
  }
}

/** A package's entries, by the names to import them by. @param {Manifest} manifest */
function exportedNames({ name, exports = {} }) {
  return Object.keys(/** @type {object} */ (exports))
    .filter((path) => !path.endsWith('.json'))
    .map((path) => posix.join(name, path));
}

/** @param {string} command @param {readonly string[]} args @param {string} cwd */
export function run(command, args, cwd) {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
}

/**
 * @param {string} root @param {string} tool one of node_modules/.bin @param {readonly string[]} args @param {string} [cwd]
 * @returns {string[]} its output, if it failed
 */
function outputOf(root, tool, args, cwd = root) {
  const { status, stdout, stderr } = spawnSync(join(root, 'node_modules/.bin', tool), args, {
    cwd,
    encoding: 'utf8',
  });
  return status === 0 ? [] : [`${tool} fails:\n${stdout}${stderr}`];
}
