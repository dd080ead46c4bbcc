// Text for programs, which read it instead of HTML: https://llmstxt.org. Each page is there as Markdown under its own address with `.md`.
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { addressOf, pageOf, root } from './pages.ts';
import { type Group, groups } from './contents.ts';

const summary =
  'Tidings pushes events from servers to browsers over Server-Sent Events and loses none of them: one library for Node apps, ' +
  'one client, one standalone server. Every event gets a number in one ordered log, and every connection is a cursor on that log.';

/** Writes `llms.txt`, `llms-full.txt` and the Markdown of all pages. */
export function writeForMachines(outDir: string, base: string, sources: readonly string[]): void {
  const pages = new Map<string, string>();
  for (const source of sources) {
    const page = pageOf(source);
    if (page !== undefined && page !== 'index.md') pages.set(page, plain(source, base));
  }
  for (const [page, text] of pages) write(join(outDir, page), text);
  write(
    join(outDir, 'llms.txt'),
    `# Tidings\n\n> ${summary}\n\n${groups.map((group) => list(group, base)).join('\n')}`,
  );
  const inOrder = groups.flatMap(({ items }) => items.map(({ page }) => pages.get(markdownOf(page)) ?? ''));
  write(join(outDir, 'llms-full.txt'), `> ${summary}\n\n${inOrder.join('\n\n---\n\n')}`);
}

export function copyFiles(outDir: string, addresses: Iterable<string>): void {
  for (const address of addresses) {
    const target = join(outDir, address);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, contentsOf(join(root, address.replace(/^\/files\//, '').replace(/\.txt$/, ''))));
  }
}

/** Of a file; of a folder, its files one after the other. */
function contentsOf(path: string): string {
  if (!statSync(path).isDirectory()) return readFileSync(path, 'utf8');
  const files = readdirSync(path).filter((name) => statSync(join(path, name)).isFile());
  return files.map((name) => `===== ${name}\n\n${readFileSync(join(path, name), 'utf8')}`).join('\n');
}

const markdownOf = (page: string): string => `${page.replace(/\/$/, '/index')}.md`;

function list({ text, items }: Group, base: string): string {
  const lines = items.map(
    ({ text: title, page, about }) => `- [${title}](${base}${markdownOf(page)}): ${about}`,
  );
  return `## ${text}\n\n${lines.join('\n')}\n`;
}

/** The page as it is in the repository, with links that work from the site's root. */
function plain(source: string, base: string): string {
  const text = readFileSync(join(root, source), 'utf8').replace(/^---\n[\s\S]*?\n---\n+/, '');
  return text.replaceAll(/(\]\()([^)\s]+)\)/g, (whole, start: string, href: string) => {
    if (href.startsWith('#') || href.startsWith('/') || /^[a-z][a-z+.-]*:/i.test(href)) return whole;
    const [, name = '', hash = ''] = /^([^#]*)(#.*)?$/.exec(addressOf(source, href) ?? '') ?? [];
    if (name === '') return whole;
    const page = name.startsWith('/files/') ? name : name.replace(/\/$/, '/index').concat('.md');
    return `${start}${base}${page.slice(1)}${hash})`;
  });
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
