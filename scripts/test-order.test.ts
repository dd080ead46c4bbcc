import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { LONG, sideBySide } from './test-order.ts';

const file = (path: string, project: string, group = 1) => ({ path, project, group });
const many = (project: string, count: number, group = 1) =>
  Array.from({ length: count }, (_, index) => file(`${project}/${index}.test.ts`, project, group));
const paths = (files: readonly { path: string }[]): string[] => files.map(({ path }) => path);

describe('the order of the tests', () => {
  test('has the files of the projects of a group side by side, to the end', () => {
    expect(paths(sideBySide([...many('a', 4), ...many('b', 2)]))).toEqual([
      'a/0.test.ts',
      'b/0.test.ts',
      'a/1.test.ts',
      'a/2.test.ts',
      'b/1.test.ts',
      'a/3.test.ts',
    ]);
  });

  test('begins each project with the files that take long', () => {
    const [longest = '', second = ''] = LONG;
    const files = [...many('a', 2), file(second, 'a'), file(longest, 'a')];
    expect(paths(sideBySide(files))).toEqual([longest, second, 'a/0.test.ts', 'a/1.test.ts']);
  });

  test('leaves groups one after the other', () => {
    const ordered = sideBySide([...many('late', 3, 1), ...many('early', 2, 0)]);
    expect(ordered.map(({ project }) => project)).toEqual(['early', 'early', 'late', 'late', 'late']);
  });

  test('names no file that is gone', () => {
    expect(LONG.filter((path) => !existsSync(new URL(`../${path}`, import.meta.url)))).toEqual([]);
  });
});
