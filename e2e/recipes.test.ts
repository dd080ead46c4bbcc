// The pages about frameworks, as programs: their blocks are built with the framework's own compiler and run against a hub.
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Plugin, rolldown } from 'rolldown';
import { compile as compileSvelte } from 'svelte/compiler';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { compileScript, parse as parseVue } from 'vue/compiler-sfc';
import { createHub, type Hub } from 'tidings';
import { sse } from 'tidings/node';
import { extractFiles } from '../scripts/snippets.mjs';
import { eventually, test } from './test.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const vue: Plugin = {
  name: 'vue',
  transform(code, id) {
    if (!id.endsWith('.vue')) return undefined;
    const { descriptor } = parseVue(code, { filename: id });
    const { content } = compileScript(descriptor, { id: 'app', inlineTemplate: true });
    return { code: content, moduleType: 'ts' };
  },
};

const svelte: Plugin = {
  name: 'svelte',
  transform(code, id) {
    if (!id.endsWith('.svelte')) return undefined;
    return { code: compileSvelte(code, { filename: id, generate: 'client' }).js.code, moduleType: 'js' };
  },
};

/** How an app is mounted, which their own guides say. */
const frameworks = {
  react: {
    mount: `import { createRoot } from 'react-dom/client';
      import { createElement } from 'react';
      import App from './App.tsx';
      createRoot(document.querySelector('#app')).render(createElement(App));`,
    plugins: [],
  },
  vue: {
    mount: `import { createApp } from 'vue'; import App from './App.vue'; createApp(App).mount('#app');`,
    plugins: [vue],
  },
  svelte: {
    mount: `import { mount } from 'svelte'; import App from './App.svelte';
      mount(App, { target: document.querySelector('#app') });`,
    plugins: [svelte],
  },
} as const;

for (const [name, { mount, plugins }] of Object.entries(frameworks)) {
  describe(`docs/guides/${name}.md`, () => {
    const files = extractFiles(readFileSync(join(root, `docs/guides/${name}.md`), 'utf8'));
    const items: { id: string; text: string }[] = [];
    const streams: string[] = [];
    let hub: Hub;
    let server: Server;
    let origin = '';

    beforeAll(async () => {
      const script = await build(name, new Map([...files, ['main.js', mount]]), plugins);
      hub = createHub({ retry: 50 });
      const events = sse(hub);
      server = createServer((request, response) => {
        const { pathname } = new URL(request.url ?? '/', 'http://localhost');
        if (pathname === '/events') {
          streams.push(request.method ?? '');
          return events(request, response);
        }
        if (pathname === '/news') {
          const news = { cursor: hub.cursor(), items };
          return void response.setHeader('content-type', 'application/json').end(JSON.stringify(news));
        }
        if (pathname === '/main.js') {
          return void response.setHeader('content-type', 'text/javascript').end(script);
        }
        return void response
          .setHeader('content-type', 'text/html')
          .end(
            '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><div id="app"></div><script type="module" src="/main.js"></script>',
          );
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });

    afterAll(async () => {
      await hub.close({ within: 0 });
      server.closeAllConnections();
      server.close();
    });

    const publish = async (text: string): Promise<void> => {
      const item = { id: String(items.length + 1), text };
      items.push(item);
      await hub.publish('news', item);
    };

    test('the app shows what there is, and what comes, also after a cut', async ({ newVisitor }) => {
      await publish('first');
      const visitor = await newVisitor(origin);
      const page = await visitor.open('/');
      const shown = (): Promise<string[]> => page.locator('li').allTextContents();
      await eventually(shown).toEqual(['first']);
      await eventually(() => page.locator('small').textContent()).toBe('open');
      await publish('second');
      await eventually(shown).toEqual(['first', 'second']);

      hub.disconnect(() => true, { retry: 50 });
      await publish('third');
      await eventually(shown).toEqual(['first', 'second', 'third']);
      expect(new Set(streams)).toEqual(new Set(['GET']));
    });

    test('each file is short', () => {
      expect(files.size).toBeGreaterThan(0);
      for (const [file, text] of files) expect(text.trim().split('\n').length, file).toBeLessThanOrEqual(40);
    });
  });
}

/** Builds in a folder of the repository, where packages resolve as they do for a user. */
async function build(
  name: string,
  files: ReadonlyMap<string, string>,
  plugins: readonly Plugin[],
): Promise<string> {
  const folder = join(root, 'node_modules/.cache/recipes', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of files) writeFileSync(join(folder, file), text);
  const bundle = await rolldown({
    input: join(folder, 'main.js'),
    platform: 'browser',
    plugins: [...plugins],
    transform: {
      define: {
        'process.env.NODE_ENV': '"development"',
        __VUE_OPTIONS_API__: 'false',
        __VUE_PROD_DEVTOOLS__: 'false',
        __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
      },
    },
    onLog(level, log, handle) {
      if (log.code !== 'MODULE_LEVEL_DIRECTIVE') handle(level, log);
    },
  });
  const { output } = await bundle.generate({ format: 'esm', codeSplitting: false });
  await bundle.close();
  return output[0].code;
}
