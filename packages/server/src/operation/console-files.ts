import { existsSync, readFileSync, readdirSync } from 'node:fs';

// The single-file bundle puts another module in this one's place: see scripts/bundle.mjs.

/** The page and its styles are served as they are in the sources; its scripts, as the compiler makes them. */
const SOURCES = new URL('../../src/console/page/', import.meta.url);
const SCRIPTS = new URL('../../dist/console/page/', import.meta.url);

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  js: 'text/javascript; charset=utf-8',
};

export interface ConsoleFile {
  readonly name: string;
  readonly content: string;
  readonly type: string;
}

/** @returns undefined if the scripts have not been built. */
export function consoleFiles(): readonly ConsoleFile[] | undefined {
  if (!existsSync(SCRIPTS)) return undefined;
  return [[SOURCES, /\.(html|css|svg)$/] as const, [SCRIPTS, /\.js$/] as const].flatMap(([folder, wanted]) =>
    readdirSync(folder)
      .filter((name) => wanted.test(name))
      .map((name) => ({
        name,
        content: readFileSync(new URL(name, folder), 'utf8'),
        type: TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream',
      })),
  );
}
