import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { likelyName } from 'tidings/transport';
import { type Command, UsageError } from '../cli/command.ts';

/** The files of each app; the first one is the server. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  express: ['express.js', 'public/index.html'],
  fastify: ['fastify.js'],
  koa: ['koa.js'],
  hono: ['hono.js'],
  node: ['node.js'],
  http2: ['http2.js'],
};

const names = Object.keys(TEMPLATES);

/** Templates of the package, put there when it is packed; in the repository, the examples themselves. */
const folders = ['../../templates/', '../../../../examples/servers/'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** `tidings init FRAMEWORK [FOLDER]` */
export const init: Command = {
  summary: 'Writes a small app that publishes and streams events, to start from.',
  positionals: 'FRAMEWORK [FOLDER]',
  about:
    `FRAMEWORK is one of ${names.join(', ')}. The app gets a new folder: tidings-FRAMEWORK, if you name none.\n` +
    'NestJS and Next.js make projects with tools of their own; the guide on frameworks says what to add.',
  flags: {},
  async run({ positionals }, terminal) {
    const [framework, named = `tidings-${framework}`, ...more] = positionals;
    // An unset variable of a script: the present folder.
    const folder = named === '' ? '.' : named;
    const files = framework !== undefined && isKnown(framework) ? TEMPLATES[framework] : undefined;
    if (files === undefined || more.length > 0) throw new UsageError(expected(positionals));
    const source = folders.find((path) => existsSync(path));
    if (source === undefined) {
      terminal.err('The apps are not part of this file. Run `npx @tidings/server init` instead.\n');
      return 1;
    }
    try {
      if (existsSync(folder) && readdirSync(folder).length > 0) {
        terminal.err(`Expected ${folder} to be new or empty, but it has files: nothing was written.\n`);
        return 1;
      }
      write(files, source, folder);
    } catch (error) {
      if (!isFailedCall(error)) throw error;
      terminal.err(`The app can’t be written to ${folder}: ${error.message}.\n`);
      return 1;
    }
    terminal.out(
      `The app is in ${folder}. To run it:\n\n  cd ${quoted(folder)} && npm install\n  npm start\n`,
    );
    return 0;
  },
};

/** Of the file system, such as of a folder that this user may not write to. */
function isFailedCall(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error;
}

function isKnown(framework: string): boolean {
  return Object.hasOwn(TEMPLATES, framework);
}

function expected([framework = '', ...more]: readonly string[]): string {
  if (isKnown(framework)) return `Expected one folder, got ${more.length}.`;
  const likely = likelyName(framework, names);
  const hint = likely === undefined ? '' : ` Did you mean ${likely}?`;
  return `Expected a framework, one of ${names.join(', ')}; got ${JSON.stringify(framework)}.${hint}`;
}

function write(files: readonly string[], source: string, folder: string): void {
  const [server = '', ...others] = files;
  const text = readFileSync(join(source, server), 'utf8');
  const manifest = {
    name: 'tidings-app',
    private: true,
    type: 'module',
    engines: { node: '>=20.19' },
    scripts: { start: 'node server.js' },
    dependencies: dependenciesOf(text, readFileSync(join(source, 'package.json'), 'utf8')),
  };
  const contents: readonly (readonly [string, string])[] = [
    ['package.json', `${JSON.stringify(manifest, undefined, 2)}\n`],
    ['server.js', text],
    ...others.map((name) => [name, readFileSync(join(source, name), 'utf8')] as const),
  ];
  for (const [name, content] of contents) {
    const path = join(folder, name);
    mkdirSync(join(path, '..'), { recursive: true });
    // Should a file have come up meanwhile, this fails.
    writeFileSync(path, content, { flag: 'wx' });
  }
}

/** Of the examples' packages those that this one imports. */
function dependenciesOf(text: string, manifest: string): Readonly<Record<string, string>> {
  const { dependencies } = JSON.parse(manifest) as { dependencies: Readonly<Record<string, string>> };
  const imported = new Set(Array.from(text.matchAll(/ from '((?:@[^/']+\/)?[^/']+)/g), ([, name]) => name));
  return Object.fromEntries(Object.entries(dependencies).filter(([name]) => imported.has(name)));
}

/** For a shell. */
function quoted(path: string): string {
  // `cd` would take it for an option.
  const safe = path.startsWith('-') ? `./${path}` : path;
  return /^[\w./~-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", `'\\''`)}'`;
}
