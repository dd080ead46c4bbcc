import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

const reference = /<(?:a|img|link|script|source)\b[^>]*?\s(?:href|src)="([^"]*)"/g;

/**
 * Follows every link of a built site: to pages, anchors and files. Links to other sites only have to be well-formed, since a
 * build asks nobody.
 *
 * @returns what is wrong, one line per link
 */
export function deadLinks(outDir: string, base: string): string[] {
  const pages = readdirSync(outDir, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.html'),
  );
  const anchors = new Map<string, Set<string>>();
  const texts = new Map(pages.map((page) => [page, readFileSync(join(outDir, page), 'utf8')]));
  const anchorsOf = (page: string): Set<string> => {
    const known =
      anchors.get(page) ??
      new Set([...(texts.get(page) ?? '').matchAll(/\sid="([^"]*)"/g)].map(([, id = '']) => id));
    anchors.set(page, known);
    return known;
  };

  const problem = (page: string, href: string): string | undefined => {
    if (/^(data|mailto):/.test(href)) return undefined;
    if (/^[a-z][a-z+.-]*:|^\/\//i.test(href))
      return URL.canParse(href) && href.startsWith('https://') ? undefined : 'is no https: URL';
    const [path = '', hash = ''] = href.split('#', 2);
    const from = `${base}${page}`;
    const address =
      path === '' ? from : posix.resolve(posix.dirname(from), decodeURI(path.replace(/\?.*$/, '')));
    if (!`${address}/`.startsWith(base)) return 'leads out of the site';
    const target = address.slice(base.length);
    const file = [target, `${target}.html`, posix.join(target, 'index.html')].find(
      (name) => existsSync(join(outDir, name)) && statSync(join(outDir, name)).isFile(),
    );
    if (file === undefined) return 'leads to nothing';
    if (hash === '' || !file.endsWith('.html')) return undefined;
    return anchorsOf(file).has(decodeURIComponent(hash)) ? undefined : 'has an anchor that the page lacks';
  };

  return [...texts].flatMap(([page, text]) => {
    const hrefs = new Set(
      [...text.matchAll(reference)].map(([, href = '']) => href.replaceAll('&amp;', '&')),
    );
    return [...hrefs].flatMap((href) => {
      const what = problem(page, href);
      return what === undefined ? [] : [`${page}: ${href} ${what}`];
    });
  });
}
