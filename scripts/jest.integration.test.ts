import { spawnSync } from 'node:child_process';
import { readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installPacked } from './packed.mjs';
import { extractFiles } from './snippets.mjs';

const page = readFileSync(new URL('../docs/guides/typescript-and-jest.md', import.meta.url), 'utf8');
/** The versions that were tried. */
const PACKAGES = [
  'jest@30.5.2',
  'babel-jest@30.5.2',
  '@babel/core@7',
  '@babel/preset-typescript@7',
  '@babel/plugin-transform-modules-commonjs@7',
];
/** Installing takes the registry and the machine their time. */
const PATIENCE = 300_000;

const body = `
test('a page follows a hub', async () => {
  const hub = createHub();
  const server = createServer(sse(hub)).listen(0);
  const client = connect(\`http://localhost:\${server.address().port}\`, { topics: ['news'], cursor: hub.cursor() });
  await hub.publish('news', 1);
  for await (const event of client) { expect(event.json()).toBe(1); break; }
  await hub.close();
  server.close();
});`;
const imports = `import { createServer } from 'node:http';
import { createHub } from 'tidings';
import { connect } from 'tidings/client';
import { sse } from 'tidings/node';
`;
const requires = imports.replaceAll(/import (.*) from (.*);/g, 'const $1 = require($2);');

const project = installPacked();
let whyNot: string | undefined;
afterAll(() => project.remove());

describe('the settings of docs/guides/typescript-and-jest.md', () => {
  beforeAll(() => {
    whyNot = project.install(PACKAGES, PATIENCE);
    for (const [name, text] of extractFiles(page)) project.write(name, text);
  }, PATIENCE);

  function jest(
    config: string,
    more: Record<string, string> = {},
  ): { status: number | null; output: string } {
    const { status, stderr } = spawnSync(
      process.execPath,
      [
        'node_modules/jest/bin/jest.js',
        '--config',
        config,
        '--rootDir',
        '.',
        '--watchman=false',
        '--runInBand',
      ],
      {
        cwd: project.folder,
        encoding: 'utf8',
        timeout: PATIENCE,
        env: { ...process.env, NODE_ENV: undefined, NODE_OPTIONS: '', ...more },
      },
    );
    return { status, output: stderr };
  }

  test('native ES modules', { timeout: PATIENCE }, ({ skip }) => {
    if (whyNot !== undefined) skip(whyNot);
    // The file of Babel is that of the other way.
    renameSync(join(project.folder, 'babel.config.json'), join(project.folder, 'babel.json'));
    project.write('esm.test.js', imports + body);
    expect(jest('esm-jest.config.json', { NODE_OPTIONS: '--experimental-vm-modules' })).toMatchObject({
      status: 0,
      output: expect.stringContaining('Tests:       1 passed'),
    });
    rmSync(join(project.folder, 'esm.test.js'));
    renameSync(join(project.folder, 'babel.json'), join(project.folder, 'babel.config.json'));
  });

  test('Babel, for CommonJS and TypeScript', { timeout: PATIENCE }, ({ skip }) => {
    if (whyNot !== undefined) skip(whyNot);
    project.write('package.json', JSON.stringify({ private: true }));
    project.write('commonjs.test.js', requires + body);
    project.write(
      'typed.test.ts',
      imports + body.replace('server.address()', '(server.address() as { port: number })'),
    );
    expect(jest('jest.config.json')).toMatchObject({
      status: 0,
      output: expect.stringContaining('Tests:       2 passed'),
    });
  });

  test('require in Node', () => {
    const [, command = ''] = /^node -e "(.*)"$/m.exec(page) ?? [];
    const run = spawnSync(process.execPath, ['-e', command], { cwd: project.folder, encoding: 'utf8' });
    expect(run).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/^\w+\.0\n$/) });
  });

  const cases = [...page.matchAll(/^\| (`[^|]*`) \| (leave it out|`[^|]*`) \|/gm)]
    // The head of the table.
    .slice(1)
    .flatMap(([, modules = '', resolution = '']) =>
      modules.split(', ').map((module) => [module, resolution].map((word) => word.replaceAll('`', ''))),
    );
  test.each(cases)('module %s, moduleResolution %s', (module, moduleResolution) => {
    const compilerOptions = {
      module,
      ...(moduleResolution === 'leave it out' ? {} : { moduleResolution }),
      target: 'es2023',
      strict: true,
      noEmit: true,
      types: ['node'],
    };
    project.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['user.ts'] }));
    project.write(
      'user.ts',
      `${imports}export const events = sse(createHub()); createServer(events); connect('http://localhost').close();\n`,
    );
    expect(project.compile()).toBe('');
  });
});
