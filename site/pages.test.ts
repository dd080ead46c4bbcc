import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { groups } from './.vitepress/contents.ts';
import { addressOf, pageOf, root, slugify } from './.vitepress/pages.ts';

const sources = ['.', 'docs', 'bench', 'site', 'packages', 'examples', 'deploy'].flatMap(markdownIn);

function markdownIn(folder: string): string[] {
  const names = readdirSync(join(root, folder), { encoding: 'utf8', recursive: folder !== '.' });
  return names
    .filter((name) => name.endsWith('.md') && !/(^|\/)(node_modules|dist|generated|\.snippets)\//.test(name))
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')));
}

const read = (source: string): string => readFileSync(join(root, source), 'utf8');

/** Without code, in which brackets and number signs mean something else. */
const prose = (text: string): string =>
  text
    .replaceAll(/^( *)(`{3,})[^\n]*\n[\s\S]*?^ *\2`*[ \t]*$/gm, '')
    .replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]()]/g, ''));

function anchorsOf(source: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of prose(read(source)).matchAll(/^#{1,6} +(.*)$/gm)) {
    const slug = slugify(heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1'));
    let unique = slug;
    for (let n = 1; anchors.has(unique); n += 1) unique = `${slug}-${n}`;
    anchors.add(unique);
  }
  return anchors;
}

/** The fault of a relative link, or of a link to a heading. */
function problemOf(source: string, link: string): string | undefined {
  if (/^[a-z][a-z+.-]*:/i.test(link)) return URL.canParse(link) ? undefined : 'is no URL';
  const [path = '', hash] = link.split('#', 2);
  const target = path === '' ? source : posix.normalize(posix.join(posix.dirname(source), path));
  const file = join(root, target);
  if (!existsSync(file)) return 'leads to nothing';
  if (hash === undefined) return undefined;
  if (!statSync(file).isFile() || !target.endsWith('.md')) return 'has an anchor, but leads to no page';
  return anchorsOf(target).has(hash) ? undefined : 'has an anchor that the page lacks';
}

describe('the links of the Markdown pages', () => {
  it.each(sources)('of %s lead somewhere', (source) => {
    const links = [...prose(read(source)).matchAll(/\]\(<?([^)\s>]+)>?\)/g)].map(([, link = '']) => link);
    const dead = links.flatMap((link) => {
      const problem = problemOf(source, link);
      return problem === undefined ? [] : [`${link} ${problem}`];
    });
    expect(dead).toEqual([]);
  });

  it('are seen to be dead', () => {
    expect(problemOf('docs/options.md', 'nowhere.md')).toBe('leads to nothing');
    expect(problemOf('docs/options.md', '#nothing')).toBe('has an anchor that the page lacks');
    expect(problemOf('docs/options.md', 'errors.md#runs')).toBeUndefined();
  });
});

describe('the table of contents', () => {
  const listed = groups.flatMap(({ items }) =>
    items.map(({ page }) => page.replace(/\/$/, '/index').concat('.md')),
  );
  // Made when the site is built.
  const pages = [...sources.flatMap((source) => pageOf(source) ?? []), 'types.md'];

  it('lists every page once, and no page that does not exist', () => {
    const unlisted = pages.filter((page) => !listed.includes(page) && !isFoundElsewhere(page));
    expect({ unlisted, missing: listed.filter((page) => !pages.includes(page)) }).toEqual({
      unlisted: [],
      missing: [],
    });
    expect(listed).toHaveLength(new Set(listed).size);
  });
});

/** The home page; pages that others list; and what is for maintainers. */
function isFoundElsewhere(page: string): boolean {
  return (
    page === 'index.md' ||
    page.startsWith('adr/0') ||
    page === 'releasing.md' ||
    page === 'code-of-conduct.md'
  );
}

it('a link to a page, to a folder and to a file lead to a page, to what says what is in it, and to a copy', () => {
  expect(addressOf('docs/guides/react.md', '../options.md#connect')).toBe('/options#connect');
  expect(addressOf('docs/options.md', '../PROTOCOL.md')).toBe('/protocol');
  expect(addressOf('packages/server/README.md', '../../deploy')).toBe('/deploy');
  expect(addressOf('docs/deploy.md', '../deploy/nginx/tidings.conf')).toBe(
    '/files/deploy/nginx/tidings.conf.txt',
  );
  expect(addressOf('docs/deploy.md', 'nowhere.md')).toBeUndefined();
});
