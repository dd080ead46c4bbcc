import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'vite';
import { describe, expect, test } from 'vitest';

/**
 * The folders that each folder's sources may import, in addition to `shared`. Each line names only folders of the lines
 * above it, so the folders can't form a ring. README.md draws the same order.
 */
const SERVER: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  ops: ['lib'],
  'database/migrations': [],
  database: ['database/migrations'],
  http: ['lib', 'ops'],
  events: ['lib', 'ops', 'database'],
  auth: ['lib', 'database', 'http'],
  notifications: ['lib', 'database', 'http', 'events', 'auth'],
  feed: ['lib', 'database', 'http', 'events', 'auth', 'notifications'],
  analytics: ['lib', 'ops', 'database', 'http', 'events'],
  dashboard: ['lib', 'events'],
  connections: ['lib', 'events'],
  streams: ['http', 'auth', 'analytics', 'dashboard', 'connections'],
  // The top-level files put the parts together.
  '.': [
    ...['lib', 'ops', 'database', 'http', 'events', 'auth', 'notifications', 'feed', 'analytics'],
    ...['dashboard', 'connections', 'streams'],
  ],
  testing: ['lib', 'ops', '.'],
};

const PAGES: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  ui: ['lib'],
  live: ['lib'],
  account: ['lib', 'ui', 'live'],
  shell: ['lib', 'ui', 'live', 'account'],
  home: ['lib', 'ui', 'live', 'shell'],
  feed: ['lib', 'ui', 'shell'],
  dashboard: ['lib', 'ui', 'shell'],
  analytics: ['lib', 'ui', 'shell'],
  connections: ['lib', 'ui', 'shell'],
};

const src = fileURLToPath(new URL('.', import.meta.url));

/** The paths that a module imports, exports from or loads later, types included. */
function importsOf(file: string, text: string): string[] {
  const { module, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file} can't be parsed: ${errors[0]?.message}`);
  const exported = module.staticExports.flatMap(({ entries }) => entries.map((entry) => entry.moduleRequest));
  const found = [...module.staticImports.map((statement) => statement.moduleRequest), ...exported];
  const later = module.dynamicImports.map(({ moduleRequest: { start, end } }) =>
    text.slice(start + 1, end - 1),
  );
  return [...found.flatMap((request) => request?.value ?? []), ...later];
}

/**
 * @param file its path below `src/server` or `src/pages`
 * @returns a line for each import that the order forbids
 */
function forbiddenImports(
  order: Readonly<Record<string, readonly string[]>>,
  file: string,
  text: string,
): string[] {
  const folder = posix.dirname(file);
  const allowed = order[folder];
  if (allowed === undefined) return [`${folder} has no line in the order`];
  return importsOf(file, text).flatMap((path) => {
    if (!path.startsWith('.')) return [];
    const target = posix.dirname(posix.join(folder, path));
    if (target === folder || target === '../shared' || allowed.includes(target)) return [];
    // The deadline that all tests of the repository share.
    if (folder === 'testing' && target === '../../../../scripts') return [];
    return [`${file} imports ${path}`];
  });
}

function sourcesIn(root: string): string[] {
  return readdirSync(join(src, root), { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
}

function violations(root: string, order: Readonly<Record<string, readonly string[]>>): string[] {
  return sourcesIn(root).flatMap((file) =>
    forbiddenImports(order, file, readFileSync(join(src, root, file), 'utf8')),
  );
}

describe('the order of folders', () => {
  test.each([
    ['server', SERVER],
    ['pages', PAGES],
  ])('holds in src/%s', (root, order) => {
    expect(sourcesIn(root).length).toBeGreaterThan(20);
    expect(violations(root, order)).toEqual([]);
  });

  test('is kept by src/shared, which imports only itself', () => {
    expect(violations('shared', { '.': [] })).toEqual([]);
  });

  test.each([
    ['server', SERVER],
    ['pages', PAGES],
  ])('of src/%s allows only folders of the lines above and lists every folder', (root, order) => {
    const folders = Object.keys(order);
    for (const [place, folder] of folders.entries()) {
      expect(folders.slice(0, place)).toEqual(expect.arrayContaining([...(order[folder] ?? [])]));
    }
    const existing = new Set(sourcesIn(root).map((file) => dirname(file)));
    expect(folders.filter((folder) => !existing.has(folder))).toEqual([]);
  });

  test('is violated by every kind of upward import', () => {
    const lines = [
      `import { streamRoutes } from '../streams/routes.ts';`,
      `import type { Feed } from '../feed/feed.ts';`,
      `import '../services.ts';`,
      `export * from '../auth/users.ts';`,
      `export const later = () => import('../../pages/lib/http.ts');`,
    ];
    for (const line of lines) expect(forbiddenImports(SERVER, 'events/hub.ts', line)).toHaveLength(1);
    expect(forbiddenImports(SERVER, 'new-folder/a.ts', '')).toEqual(['new-folder has no line in the order']);
    const fine = `import { z } from 'zod'; import '../lib/clock.ts'; import '../../shared/api.ts'; import './topics.ts';`;
    expect(forbiddenImports(SERVER, 'events/hub.ts', fine)).toEqual([]);
  });
});
