import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { transpileFolder } from './transpile.mjs';

let folder = '';
const source = (file = ''): string => join(folder, 'src', file);
const target = (file = ''): string => join(folder, 'dist', file);

function write(file: string, text: string, secondsFromNow = -60): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  const time = Date.now() / 1000 + secondsFromNow;
  utimesSync(file, time, time);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidings-transpile-'));
  write(source('index.ts'), `export { deep, type Depth } from './sea/depth.ts';\n`);
  write(
    source('sea/depth.ts'),
    `export type Depth = { fathoms: number };\nexport const deep = (depth: Depth): boolean => depth.fathoms > 20;\n`,
  );
  write(source('sea/depth.test.ts'), `throw new Error('A test is no part of the program.');\n`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('transpiling a folder', () => {
  test('writes modules that run, without types, and without the tests', async () => {
    expect(transpileFolder(source(), target())).toBe(2);
    const { deep } = await import(/* @vite-ignore */ pathToFileURL(target('index.js')).href);
    expect([deep({ fathoms: 21 }), deep({ fathoms: 19 })]).toEqual([true, false]);
    expect(readdirSync(target('sea')).toSorted()).toEqual(['depth.js', 'depth.js.map']);
    const map = JSON.parse(readFileSync(target('sea/depth.js.map'), 'utf8')) as { sources: string[] };
    expect(map.sources).toEqual(['../../src/sea/depth.ts']);
  });

  test('writes only what has changed since', () => {
    transpileFolder(source(), target());
    const before = readFileSync(target('index.js'), 'utf8');
    expect(transpileFolder(source(), target())).toBe(0);
    write(source('sea/depth.ts'), 'export const deep = 1;\n', 60);
    expect(transpileFolder(source(), target())).toBe(1);
    expect(readFileSync(target('sea/depth.js'), 'utf8')).toContain('deep = 1');
    expect(readFileSync(target('index.js'), 'utf8')).toBe(before);
  });

  test('makes `tsc -b` build anew what it has changed', () => {
    for (const file of ['tsconfig.tsbuildinfo', 'sea/tsconfig.tsbuildinfo', 'land/tsconfig.tsbuildinfo']) {
      write(target(file), '{}');
    }
    write(target('index.js'), '', 60);
    transpileFolder(source(), target());
    expect(existsSync(target('sea/tsconfig.tsbuildinfo'))).toBe(false);
    expect(existsSync(target('tsconfig.tsbuildinfo'))).toBe(false);
    expect(existsSync(target('land/tsconfig.tsbuildinfo'))).toBe(true);
  });

  test('takes folders in any way of writing them', () => {
    expect(transpileFolder(`${folder}/./src`, `${folder}//./dist`)).toBe(2);
    expect(existsSync(target('index.js'))).toBe(true);
  });

  test('names the file with a mistake, and leaves what was there', () => {
    transpileFolder(source(), target());
    const before = readFileSync(target('sea/depth.js'), 'utf8');
    write(source('sea/depth.ts'), 'export const deep = ;\n', 60);
    expect(() => transpileFolder(source(), target())).toThrow(/sea\/depth\.ts: /);
    expect(readFileSync(target('sea/depth.js'), 'utf8')).toBe(before);
  });
});
