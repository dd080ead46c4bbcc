// The files of the repository that are pages of the site, and their addresses.
import { existsSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** Pages from outside of `docs/`; `docs/x.md` is the page `x.md`. */
const elsewhere: Readonly<Record<string, string>> = {
  'site/index.md': 'index.md',
  'PROTOCOL.md': 'protocol.md',
  'SECURITY.md': 'security-policy.md',
  'CHANGELOG.md': 'changelog.md',
  'ARCHITECTURE.md': 'architecture.md',
  'CONTRIBUTING.md': 'contributing.md',
  'CODE_OF_CONDUCT.md': 'code-of-conduct.md',
  'RELEASING.md': 'releasing.md',
  'bench/README.md': 'benchmarks.md',
  'packages/server/README.md': 'server/index.md',
  'docs/adr/README.md': 'adr/index.md',
  'site/generated/types.md': 'types.md',
};

/** The page that a Markdown file of the repository is, such as `guides/react.md`; undefined if it is none. */
export function pageOf(source: string): string | undefined {
  const page = elsewhere[source];
  if (page !== undefined) return page;
  const [, example] = /^examples\/([\w-]+)\/README\.md$/.exec(source) ?? [];
  if (example !== undefined) return `examples/${example}.md`;
  return /^docs\/(.+\.md)$/.exec(source)?.[1];
}

/** Folders that pages link to, and the file that says what is in them. */
const folders: Readonly<Record<string, string>> = {
  deploy: 'docs/deploy.md',
  examples: 'docs/guides/frameworks.md',
};

/**
 * Where a link from one file of the repository to another leads on the site.
 *
 * @returns a path from the site's root: a page's, without its extension, or that of a copy of the file, or of all files of
 * the folder; undefined if there is none
 */
export function addressOf(source: string, link: string): string | undefined {
  const [path = '', hash] = link.split('#', 2);
  let target = posix.normalize(posix.join(posix.dirname(source), decodeURI(path))).replace(/\/$/, '');
  target = folders[target] ?? target;
  if (!existsSync(join(root, target))) return undefined;
  const isFolder = statSync(join(root, target)).isDirectory();
  if (isFolder && existsSync(join(root, target, 'README.md'))) target = `${target}/README.md`;
  // The README of the repository is for those who have no site; here the first page is its home.
  const page = target === 'README.md' ? 'index.md' : pageOf(target);
  const anchor = hash === undefined ? '' : `#${hash}`;
  if (page !== undefined) return `/${page.replace(/(^|\/)index\.md$/, '$1').replace(/\.md$/, '')}${anchor}`;
  return existsSync(join(root, target)) ? `/files/${target}.txt` : undefined;
}

/** Headings get the anchors that they have on GitHub, where the same pages are read. */
export function slugify(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
    .replaceAll(' ', '-');
}
