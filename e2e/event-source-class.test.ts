import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, it, type TestContext } from 'vitest';
import { checks } from '../packages/tidings/test/event-source/checks.ts';
import { answerScript, type ScriptedRequests } from '../packages/tidings/test/event-source/server.ts';
import { launchChromium } from './chromium.ts';

/** The globals of the page's script. */
interface PageGlobals {
  runCheck(name: string, which: 'native' | 'ours', base: string, otherBase: string): Promise<string>;
}

const entry = `
  import { EventSource as ours } from 'tidings/eventsource';
  import { checks } from '${fileURLToPath(new URL('../packages/tidings/test/event-source/checks.ts', import.meta.url))}';
  globalThis.runCheck = async (name, which, base, otherBase) => {
    try {
      await checks[name]({ EventSource: which === 'ours' ? ours : globalThis.EventSource, base, otherBase });
      return 'as the standard says';
    } catch (error) {
      return String(error);
    }
  };
`;

async function bundle(): Promise<string> {
  const build = await rolldown({
    input: 'entry',
    platform: 'browser',
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => {
          if (id === 'entry') return fileURLToPath(new URL('entry.js', import.meta.url));
          return undefined;
        },
        load: (id) => (id.endsWith('/e2e/entry.js') ? entry : undefined),
      },
    ],
  });
  const { output } = await build.generate({ format: 'esm' });
  return output[0].code;
}

describe('EventSource in Chromium', () => {
  let server: Server;
  let browser: Browser | undefined;
  let page: Page | undefined;
  let base = '';
  let otherBase = '';

  beforeAll(async () => {
    const script = await bundle();
    const counts: ScriptedRequests = new Map();
    server = createServer((request, response) => {
      void answerScript(counts, request, response).then((answered) => {
        if (answered) return;
        if (request.url === '/script.js') response.setHeader('content-type', 'text/javascript').end(script);
        else
          response
            .setHeader('content-type', 'text/html')
            .end('<!doctype html><meta charset="utf-8"><script type="module" src="/script.js"></script>');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    base = `http://127.0.0.1:${port}`;
    otherBase = `http://localhost:${port}`;
  });

  afterAll(async () => {
    await browser?.close();
    server.closeAllConnections();
    server.close();
  });

  async function openPage(context: TestContext): Promise<Page> {
    browser ??= await launchChromium(context);
    if (page !== undefined) return page;
    page = await browser.newPage();
    await page.goto(base);
    await page.waitForFunction(() => 'runCheck' in globalThis);
    return page;
  }

  /** Where Chromium deviates from the standard, with its own behaviour. */
  const deviations: Readonly<Record<string, string>> = {
    'a stream is UTF-8, whatever its content type says': 'error 2',
  };

  for (const which of ['ours', 'native'] as const) {
    describe(which, () => {
      for (const name of Object.keys(checks)) {
        it(name, async (context) => {
          const opened = await openPage(context);
          const verdict = await opened.evaluate(
            (given) => (globalThis as unknown as PageGlobals).runCheck(...given),
            [name, which, base, otherBase] as const,
          );
          const deviation = which === 'native' ? deviations[name] : undefined;
          if (deviation === undefined) context.expect(verdict).toBe('as the standard says');
          else context.expect(verdict).toContain(deviation);
        });
      }
    });
  }
});
