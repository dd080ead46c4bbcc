import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { defineConfig } from 'vite';
import type { Plugin } from 'vite';
import { NOT_FOUND_PAGE, PAGES } from './src/shared/api.ts';

const root = join(import.meta.dirname, 'src/pages');

/** Puts what all pages share, the files of `shell/`, in place of `<!--shell:name-->`, and marks the page's own link. */
function shell(): Plugin {
  return {
    name: 'shell',
    transformIndexHtml: {
      order: 'pre',
      handler(html, { filename }) {
        const path = Object.entries(PAGES).find(([, file]) => file === basename(filename))?.[0];
        return html.replaceAll(/<!--shell:(\w+)-->/g, (_, name: string) =>
          readFileSync(join(root, 'shell', `${name}.html`), 'utf8').replaceAll(
            `href="${path}"`,
            `href="${path}" aria-current="page"`,
          ),
        );
      },
    },
  };
}

export default defineConfig({
  root,
  publicDir: 'public',
  plugins: [shell()],
  build: {
    outDir: '../../dist/pages',
    emptyOutDir: true,
    // light-dark(), color-mix() and nesting are used as they are.
    target: ['chrome123', 'firefox121', 'safari17.5'],
    // The security policy allows no data: URLs for fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: [...Object.values(PAGES), NOT_FOUND_PAGE].map((file) => join(root, file)) },
  },
});
