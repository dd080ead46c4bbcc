// Proves that the compiler refuses an import against the order of dependencies: stub sources under a copy of
// the real tsconfigs, one forbidden import each, and the error that tsc must give for it.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const src = 'packages/tidings/src';

/** The imports that each folder may have; `.` is src/index.ts. Everything else is forbidden. */
const allowed = {
  protocol: [],
  log: ['protocol'],
  'logs/memory': ['protocol', 'log'],
  'logs/lmdb': ['protocol', 'log'],
  'logs/postgres': ['protocol', 'log'],
  'logs/redis': ['protocol', 'log'],
  hub: ['protocol', 'log'],
  http: ['protocol', 'log', 'hub'],
  node: ['protocol', 'log', 'hub', 'http'],
  fetch: ['protocol', 'log', 'hub', 'http'],
  'client/shared': ['protocol'],
  client: ['protocol', 'client/shared'],
  events: ['protocol'],
  // Through `client`: TypeScript lets references of references pass.
  react: ['protocol', 'client/shared', 'client', 'events'],
  ai: ['protocol', 'log', 'hub', 'http'],
  chat: ['protocol'],
  metrics: ['protocol', 'log', 'hub'],
  testing: ['protocol', 'log', 'hub', 'http'],
  '.': [
    'protocol',
    'log',
    'logs/memory',
    'logs/lmdb',
    'logs/redis',
    'hub',
    'http',
    'node',
    'fetch',
    'client',
    'events',
    'react',
    'ai',
    'chat',
    'metrics',
    'testing',
  ],
};
/** Folders whose code runs in every runtime: no types of Node, no `node:` modules, no globals of Node. */
const runtimeFree = [
  'protocol',
  'log',
  'logs/memory',
  'hub',
  'http',
  'fetch',
  'client/shared',
  'client',
  'events',
  'ai',
  'chat',
  'metrics',
  'react',
];

const folders = Object.keys(allowed);
const copy = mkdtempSync(join(tmpdir(), 'boundaries-'));
/** @type {string[]} */
const problems = [];

try {
  copyConfigs();
  for (const [folder, may] of Object.entries(allowed)) {
    const imports = may.map((target) => importOf(folder, target, nameOf(target))).join('');
    write(
      folder,
      'index.ts',
      `${imports}export const here: string = ${[`''`, ...may.map(nameOf)].join(' + ')};\n`,
    );
  }
  const everythingAllowed = tsc('.');
  if (everythingAllowed !== '') problems.push(`an allowed import does not compile:\n${everythingAllowed}`);
  probeAll();
  probeLint();
} finally {
  rmSync(copy, { recursive: true });
}

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exitCode = 1;
}

/** @typedef {{ what: string, line: string, code: string }} Probe */

/**
 * In one program tsc reports an outside file only where it meets it first, so each folder gets one forbidden import at a
 * time. The folders are programs of their own, and get theirs together.
 */
function probeAll() {
  const probes = new Map(folders.filter((name) => name !== '.').map((folder) => [folder, probesOf(folder)]));
  const rounds = Math.max(...[...probes.values()].map((list) => list.length));
  for (let round = 0; round < rounds; round += 1) {
    const now = [...probes].flatMap(([folder, list]) => {
      const probe = list[round];
      return probe === undefined ? [] : [{ folder, ...probe }];
    });
    for (const { folder, line } of now)
      write(folder, 'probe.ts', `${line}export const probe: string = there;\n`);
    const errors = tsc(...now.map(({ folder }) => folder));
    for (const { folder, what, code } of now) {
      const start = `${src}/${folder}/probe.ts(1,`;
      const refused = errors.split('\n').some((text) => text.startsWith(start) && text.includes(code));
      report(refused, `${folder} -> ${what === '.' ? 'index' : what} (${code})`, errors);
      rmSync(join(copy, src, folder, 'probe.ts'));
    }
  }
}

/** @param {string} folder @returns {readonly Probe[]} */
function probesOf(folder) {
  const may = /** @type {Record<string, readonly string[]>} */ (allowed)[folder] ?? [];
  const imports = folders
    .filter((name) => name !== folder && !may.includes(name))
    .map((target) => ({ what: target, line: importOf(folder, target, 'there'), code: 'TS6307' }));
  if (!runtimeFree.includes(folder)) return imports;
  return [
    ...imports,
    { what: 'node:path', line: `import { sep as there } from 'node:path';\n`, code: 'TS2591' },
    { what: 'process', line: `const there: string = process.version;\n`, code: 'TS2591' },
  ];
}

/** @param {boolean} refused @param {string} what @param {string} output */
function report(refused, what, output) {
  console.log(`${refused ? 'refused' : 'NOT REFUSED'}  ${what}`);
  if (!refused) problems.push(`${what} should have been refused. The output was:\n${output || '(none)'}`);
}

/** The published name leads around the project references (declarations are no one's sources): lint refuses it. */
function probeLint() {
  for (const folder of folders) write(folder, 'probe-lint.ts', `export { here } from 'tidings/testing';\n`);
  const { stdout } = spawnSync(bin('oxlint'), ['--format=unix', src], { cwd: copy, encoding: 'utf8' });
  for (const folder of folders.filter((name) => name !== '.')) {
    const refused = stdout
      .split('\n')
      .some((line) => line.includes(`${folder}/probe-lint.ts`) && line.includes('no-restricted-imports'));
    report(refused, `${folder} -> 'tidings/testing' (no-restricted-imports)`, stdout);
  }
}

function copyConfigs() {
  const files = [
    'tsconfig.base.json',
    '.oxlintrc.jsonc',
    'packages/tidings/package.json',
    `${src}/tsconfig.json`,
  ];
  for (const folder of sourceFolders()) {
    // A folder this script does not know would be a hole in the proof.
    if (!folders.includes(folder)) problems.push(`add ${src}/${folder} to scripts/boundaries.mjs`);
    else files.push(`${src}/${folder}/tsconfig.json`);
  }
  for (const file of files) cpSync(join(root, file), join(copy, file), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');
}

/** The folders of the library; of `logs`, each engine by itself; and the projects within others. */
function sourceFolders() {
  const inside = (/** @type {string} */ folder) =>
    readdirSync(join(root, src, folder), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const isProject = (/** @type {string} */ folder) => existsSync(join(root, src, folder, 'tsconfig.json'));
  return inside('.').flatMap(({ name }) => {
    const within = inside(name).map((folder) => `${name}/${folder.name}`);
    return name === 'logs' ? within : [name, ...within.filter(isProject)];
  });
}

/** `logs/memory` as an identifier. */
function nameOf(/** @type {string} */ folder) {
  return folder.replace('/', '_');
}

function importOf(/** @type {string} */ from, /** @type {string} */ target, /** @type {string} */ as) {
  const path = relative(from, join(target, 'index.ts')).replaceAll('\\', '/');
  return `import { here as ${as} } from '${path.startsWith('.') ? path : `./${path}`}';\n`;
}

function write(/** @type {string} */ folder, /** @type {string} */ file, /** @type {string} */ text) {
  const path = join(copy, src, folder, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function tsc(/** @type {readonly string[]} */ ...projects) {
  return spawnSync(bin('tsc'), ['-b', ...projects.map((folder) => join(src, folder)), '--pretty', 'false'], {
    cwd: copy,
    encoding: 'utf8',
  }).stdout.trim();
}

function bin(/** @type {string} */ name) {
  return join(root, 'node_modules/.bin', name);
}
