// A server is killed and started again, and the pages catch up. With TIDINGS_UPDATE_IMAGES=1 it also makes the moving picture
// of the README from what the pages show, with `img2webp` (Debian: webp).
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { useLiveApp } from './live-app.ts';
import { holdStream, statusLabel, untilLive } from './page-checks.ts';
import { eventually, test } from './test.ts';
import type { VisitorOptions } from './visitor.ts';

const picture = fileURLToPath(new URL('../docs/images/killed.webp', import.meta.url));
const window: VisitorOptions = { viewport: { width: 372, height: 566 }, colorScheme: 'light' };

const app = useLiveApp({ EVENT_LOG: 'lmdb' });

test('two pages whose server is killed say so, and catch up with what was posted when it is back', async ({
  newVisitor,
}) => {
  const [ann, bob] = [await newVisitor(app.url, window), await newVisitor(app.url, window)];
  await ann.signUp('ann');
  await bob.signUp('bob');
  const pages = [await ann.open('/feed'), await bob.open('/feed')];
  const film = await startFilm((await newVisitor(app.url)).context.newPage(), pages);
  for (const page of pages) await untilLive(page);
  const shows = async (text: string): Promise<void> => {
    for (const page of pages) await page.getByTestId('post').filter({ hasText: text }).waitFor();
  };

  await film.take('$ npm start\nThe live app: http://localhost:3000', 1600);
  await ann.post('Good morning. The herring boats are in.');
  await shows('Good morning');
  await film.take('', 1800);

  await app.kill();
  for (const page of pages) await eventually(() => statusLabel(page)).toMatch(/^Reconnecting/);
  await film.take('\n$ kill -9 $(pgrep node)\nKilled', 2400);

  const release = await Promise.all(pages.map(holdStream));
  await app.start();
  await bob.post('Posted while both pages were away.');
  await film.take('\n$ npm start\nThe live app: http://localhost:3000\n\n$ curl … /posts\n201 Created', 2200);

  for (const letThrough of release) letThrough();
  await shows('while both pages were away');
  for (const page of pages) {
    await untilLive(page);
    expect(await page.getByTestId('post-text').allInnerTexts()).toEqual([
      'Posted while both pages were away.',
      'Good morning. The herring boats are in.',
    ]);
  }
  await film.take('\n# Both have caught up.', 3600);
  if (process.env['TIDINGS_UPDATE_IMAGES'] === '1') await film.save(picture);
});

interface Film {
  /** Adds to the terminal and takes a picture of it and the pages, to be shown for some milliseconds. */
  take(lines: string, duration: number): Promise<void>;
  save(path: string): Promise<void>;
}

async function startFilm(opening: Promise<Page>, pages: readonly Page[]): Promise<Film> {
  const stage = await opening;
  await stage.setViewportSize({ width: 1060, height: 626 });
  await stage.setContent(`<style>
    body { margin: 0; height: 626px; display: grid; grid-template-columns: 260px 372px 372px; gap: 14px; padding: 14px 14px 16px;
      box-sizing: border-box; background: #dfe8ea; font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; }
    pre, figure { margin: 0; border-radius: 10px; overflow: hidden; box-shadow: 0 8px 24px -12px rgb(17 36 43 / 50%); }
    pre { padding: 16px; background: #11242b; color: #d7f3ee; font: inherit; white-space: pre-wrap; }
    figure { background: #fff; } figcaption { padding: 6px 12px; font-weight: 600; color: #4d636b; background: #edf2f4; }
    img { display: block; width: 372px; height: 566px; }
  </style><pre></pre><figure><figcaption>ann</figcaption><img></figure><figure><figcaption>bob</figcaption><img></figure>`);
  const frames: { png: Buffer; duration: number }[] = [];
  let terminal = '';

  return {
    async take(lines, duration) {
      terminal += lines === '' ? '' : `${lines}\n`;
      const shots = await Promise.all(pages.map((page) => page.screenshot({ animations: 'disabled' })));
      await stage.evaluate(
        async ({ text, sources }) => {
          const pre = document.querySelector('pre');
          if (pre !== null) pre.textContent = text;
          const images = [...document.querySelectorAll('img')];
          for (const [index, image] of images.entries()) image.src = sources[index] ?? '';
          await Promise.all(images.map((image) => image.decode()));
        },
        { text: terminal, sources: shots.map((shot) => `data:image/png;base64,${shot.toString('base64')}`) },
      );
      frames.push({ png: await stage.screenshot(), duration });
    },
    async save(path) {
      const folder = await mkdtemp(join(tmpdir(), 'tidings-film-'));
      const args = ['-loop', '0', '-lossy', '-q', '82'];
      for (const [index, { png, duration }] of frames.entries()) {
        const file = join(folder, `${index}.png`);
        await writeFile(file, png);
        args.push('-d', String(duration), file);
      }
      const { status, stderr } = spawnSync('img2webp', [...args, '-o', path], { encoding: 'utf8' });
      await rm(folder, { recursive: true });
      expect(status, stderr).toBe(0);
    },
  };
}
