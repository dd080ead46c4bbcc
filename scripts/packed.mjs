// The library as its users get it: packed into a tarball and installed into a project outside of the repository, where
// only public exports resolve. For tests of programs that people write with it.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const QUIET = ['--no-audit', '--no-fund', '--no-package-lock'];

/**
 * @typedef {object} PackedProject
 * @property {string} folder
 * @property {(from: string, to?: string) => void} add copies a file or folder of the repository into the project
 * @property {(path: string, text: string) => void} write writes a file of the project
 * @property {() => string} compile compiles every `.ts` file of the folder; returns its complaints, '' if none
 * @property {(script: string, ...args: string[]) => { status: number | null, output: string }} run runs a script with
 * Node, for 60 seconds at most
 * @property {(packages: readonly string[], patience: number) => string | undefined} install installs packages of the
 * registry, within so many milliseconds; returns why it couldn't
 * @property {() => void} remove
 */

/**
 * Builds, packs and installs the library.
 *
 * @param {readonly string[]} [packages] packages of the repository's node_modules that the project has as well, such as
 * `express` and `@types/express`
 * @returns {PackedProject}
 */
export function installPacked(packages = []) {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-packed-'));
  execute('tsc', ['-b', 'packages/tidings'], root);
  // Without prepack, which would take dist away from the tests that run at the same time; it has just been built.
  const pack = ['pack', './packages/tidings', '--ignore-scripts', '--json', '--pack-destination', folder];
  const packed = execute('npm', pack, root);
  const tarball = filenameOf(packed);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  execute('npm', ['install', '--offline', '--omit=peer', ...QUIET, `./${tarball}`], folder);
  for (const name of ['@types/node', 'undici-types', ...packages]) link(folder, name);
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig(), null, 2));

  return {
    folder,
    add: (from, to = from) => cpSync(join(root, from), join(folder, to), { recursive: true }),
    write(path, text) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    },
    compile: () =>
      spawnSync(bin('tsc'), ['-p', '.', '--pretty', 'false'], {
        cwd: folder,
        encoding: 'utf8',
      }).stdout.trim(),
    run(script, ...args) {
      const options = { cwd: folder, encoding: /** @type {const} */ ('utf8'), timeout: 150_000 };
      const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], options);
      return { status, output: stdout + stderr };
    },
    install(names, patience) {
      const args = ['install', '--prefer-offline', '--ignore-scripts', '--omit=peer', ...QUIET, ...names];
      const { status, stderr } = spawnSync('npm', args, { cwd: folder, encoding: 'utf8', timeout: patience });
      return status === 0 ? undefined : `npm could not install ${names.join(', ')}: ${stderr.slice(0, 300)}`;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** As a user's would be, but that the compiler's types of Node are the repository's. */
function tsconfig() {
  /** @type {{ compilerOptions: Record<string, unknown> }} */
  const base = JSON.parse(
    readFileSync(join(root, 'tsconfig.base.json'), 'utf8').replaceAll(/^\s*\/\/.*$/gm, ''),
  );
  const compilerOptions = {
    ...base.compilerOptions,
    composite: false,
    declarationMap: false,
    sourceMap: false,
    isolatedDeclarations: false,
    // The library's declarations have to compile in a user's project.
    skipLibCheck: false,
    types: ['node'],
    lib: ['ES2023', 'ES2024.String', 'DOM', 'DOM.Iterable'],
  };
  return { compilerOptions, include: ['**/*.ts'], exclude: ['node_modules'] };
}

function filenameOf(/** @type {string} */ json) {
  /** @type {readonly [{ filename: string }]} */
  const [{ filename }] = JSON.parse(json);
  return filename;
}

function link(/** @type {string} */ folder, /** @type {string} */ name) {
  const target = join(folder, 'node_modules', name);
  mkdirSync(dirname(target), { recursive: true });
  symlinkSync(join(root, 'node_modules', name), target, 'junction');
}

function bin(/** @type {string} */ name) {
  return name === 'npm' ? 'npm' : join(root, 'node_modules/.bin', name);
}

function execute(
  /** @type {string} */ command,
  /** @type {readonly string[]} */ args,
  /** @type {string} */ cwd,
) {
  const { status, stdout, stderr } = spawnSync(bin(command), args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
  return stdout;
}
