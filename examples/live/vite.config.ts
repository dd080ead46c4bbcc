import { readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
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
/** Once its compressed form is there, `npm start` takes the build for complete. */
const LAST = 'index.html';

/** Stores files in compressed form, too: once here, instead of with every request. */
function compress(folder: string): Plugin {
  return {
    name: 'compress',
    async closeBundle() {
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
      const others = files.filter((file) => file !== LAST);
      await Promise.all(others.map((file) => storeCompressed(join(folder, file))));
      await storeCompressed(join(folder, LAST));
    },
  };
}

async function storeCompressed(file: string): Promise<void> {
  if (!COMPRESSIBLE.test(file)) return;
  const bytes = await readFile(file);
  if (bytes.length < WORTH_IT) return;
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  await writeFile(`${file}.br`, await promisify(brotliCompress)(bytes, { params }));
  await writeFile(`${file}.gz`, await promisify(gzip)(bytes, { level: 9 }));
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
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: [...Object.values(PAGES), NOT_FOUND_PAGE].map((file) => join(root, file)) },
  },
});
