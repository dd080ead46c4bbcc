import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
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

const COMPRESSIBLE = /\.(?:css|html|js|svg)$/;
/** Smaller files fit one packet as they are. */
const WORTH_IT = 1000;

/** Stores files in compressed form, too: once here, instead of with every request. */
function compress(folder: string): Plugin {
  return {
    name: 'compress',
    closeBundle() {
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) =>
        join(folder, file),
      );
      for (const file of files) {
        if (!COMPRESSIBLE.test(file) || statSync(file).size < WORTH_IT) continue;
        const bytes = readFileSync(file);
        const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
        writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params }));
        writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  root,
  publicDir: 'public',
  plugins: [shell(), compress(join(import.meta.dirname, 'dist/pages'))],
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
