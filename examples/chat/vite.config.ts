import { defineConfig } from 'vite';

export default defineConfig({
  build: {
    outDir: 'dist/page',
    emptyOutDir: true,
    // light-dark(), color-mix() and nesting are used as they are.
    target: ['chrome123', 'firefox121', 'safari17.5'],
    // The security policy allows no data: URLs for fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 800,
  },
});
