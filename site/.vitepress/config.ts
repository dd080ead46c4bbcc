import { mkdirSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
import { deadLinks } from './check-links.ts';
import { groups } from './contents.ts';
import { copyFiles, writeForMachines } from './for-machines.ts';
import { emptyHeads, repositoryLinks, taskLists } from './links.ts';
import { pageOf, root, slugify } from './pages.ts';
import { typesPage } from './types-page.ts';

/** Where the site is served: `/`, or a folder such as `/tidings/`. */
const base = process.env['SITE_BASE'] ?? '/';
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const library = `${root}/packages/tidings/src/`;

/** Files that pages link to, as `/files/…`. */
const linked = new Set<string>();

mkdirSync(here('../generated'), { recursive: true });
writeFileSync(here('../generated/types.md'), typesPage());

export default defineConfig({
  title: 'Tidings',
  description: 'Server-Sent Events that lose nothing: a hub for Node apps, a client, a server.',
  lang: 'en',
  base,
  srcDir: root,
  outDir: here('../dist'),
  cacheDir: here('cache'),
  // The pages are all files that `pageOf` names.
  srcExclude: [
    'README.md',
    'e2e/**',
    'packages/tidings/**',
    'scripts/**',
    '.changeset/**',
    '.snippets/**',
    '.github/**',
  ],
  rewrites: (page) => pageOf(page) ?? page,
  head: [
    ['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}logo.svg` }],
    ['meta', { name: 'theme-color', content: '#0f766e' }],
  ],
  appearance: true,
  markdown: {
    anchor: { slugify },
    config(md) {
      repositoryLinks(md, base, (address) => linked.add(address));
      taskLists(md);
      emptyHeads(md);
    },
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    languageAlias: { caddy: 'text' },
  },
  themeConfig: {
    logo: '/logo.svg',
    search: {
      provider: 'local',
      options: {
        _render: renderForSearch,
        // The browser gets the text of this function. Pages that explain come before those that only list.
        miniSearch: {
          searchOptions: {
            boostDocument: (id: string) => (/^\/(types|adr|changelog|benchmarks)\b/.test(id) ? 0.25 : 1),
          },
        },
      },
    },
    outline: { level: [2, 3] },
    nav: [
      { text: 'Guide', link: '/getting-started', activeMatch: '^/(getting-started|concepts|faq|guides)' },
      { text: 'Recipes', link: '/recipes/live-dashboard', activeMatch: '^/recipes' },
      { text: 'Deploy', link: '/deploy', activeMatch: '^/(deploy|scale|security-checklist)' },
      { text: 'Reference', link: '/options', activeMatch: '^/(options|errors|protocol|types)' },
      { text: 'Compare', link: '/comparison', activeMatch: '^/(comparison|migrate)' },
    ],
    sidebar: groups.map(({ text, items }, index) => ({
      text,
      collapsed: index > 1,
      items: items.map((item) => ({ text: item.text, link: `/${item.page}` })),
    })),
    footer: { message: 'MIT licence. Every snippet on these pages runs in CI.' },
  },
  vite: {
    publicDir: here('../public'),
    resolve: {
      // The home page runs a hub of its own, from the sources.
      alias: [
        { find: /^\.\/VPSidebarItem\.vue$/, replacement: here('theme/SidebarItem.vue') },
        { find: /^tidings\/(client|fetch)$/, replacement: `${library}$1/index.ts` },
        { find: /^tidings$/, replacement: `${library}index.ts` },
      ],
    },
  },
  buildEnd({ outDir, pages }) {
    copyFiles(outDir, linked);
    writeForMachines(outDir, base, pages);
    const dead = deadLinks(outDir, base);
    if (dead.length > 0) throw new Error(`Dead links:\n${dead.join('\n')}`);
    console.error(`${pages.length} pages in ${relative(process.cwd(), outDir)}, without dead links.`);
  },
});

/** The part of VitePress's renderer that the search needs. */
interface Renderer {
  readonly options: { highlight?: unknown };
  render(source: string, env: object): string;
}

/** The index has no use for the colours of code, which take most of a page's time. */
function renderForSearch(source: string, env: object, md: Renderer): string {
  const { highlight } = md.options;
  md.options.highlight = null;
  try {
    return md.render(source, env);
  } finally {
    md.options.highlight = highlight;
  }
}
