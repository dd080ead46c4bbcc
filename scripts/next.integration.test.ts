import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../packages/tidings/test/http/client.ts';
import { freePort } from '../packages/tidings/test/faults/free-port.ts';
import { untilAsync, within } from '../packages/tidings/test/http/deadline.ts';
import { installPacked } from './packed.mjs';
import { extractSnippets } from './snippets.mjs';

const page = 'docs/guides/frameworks.md';
const answersPage = 'docs/guides/llm-answers.md';
/** The versions that were tried; Next moves fast. */
const PACKAGES = ['next@16.4.6', 'react@19.3.1', 'react-dom@19.3.1'];
/** Installing and building take the registry and the machine their time. */
const PATIENCE = 600_000;

const environment = { ...process.env, NODE_ENV: undefined, NEXT_TELEMETRY_DISABLED: '1', CI: undefined };
const project = installPacked();
const programs = new Set<ChildProcess>();
let whyNot: string | undefined;

afterAll(() => {
  for (const program of programs) kill(program);
  project.remove();
});

/** Files of the guide as they are, but for their imports of the app's own `lib/hub`; the rest is what a user has already. */
function writeApp(): void {
  // The project's own, which would make it one of TypeScript.
  rmSync(join(project.folder, 'tsconfig.json'));
  const snippets = [page, answersPage].flatMap((each) =>
    extractSnippets(each, readFileSync(new URL(`../${each}`, import.meta.url), 'utf8')),
  );
  const fromGuide = (name: string): string =>
    snippets.find((snippet) => snippet.name.endsWith(`.${name}.ts`))?.text.trim() ?? '';
  /** With the import that the guide has in a comment, and without the one type: the app is one of JavaScript. */
  const withRuns = (name: string, path: string): string =>
    fromGuide(name)
      .replace(/^const runs = .*$/m, `import { runs } from '${path}';`)
      .replace('(request: Request)', '(request)');
  write('lib/hub.js', fromGuide('next-hub'));
  write('app/events/route.js', fromGuide('next-route'));
  write('instrumentation.js', fromGuide('next-instrumentation'));
  write('app/publish/route.js', publishRoute('first'));
  write('lib/runs.js', fromGuide('next-runs'));
  // Slower: a busy machine follows while it comes, and `demo-2` goes on until it is stopped.
  const pause = `resolve, chat === 'demo-2' ? 10_000 : 1_000`;
  write('app/api/chat/route.js', withRuns('next-ask', '../../../lib/runs').replace('resolve, 200', pause));
  write('app/api/chat/[id]/stream/route.js', withRuns('next-follow', '../../../../../lib/runs'));
  write('app/api/chat/[id]/stop/route.js', withRuns('next-stop', '../../../../../lib/runs'));
  write(
    'app/layout.jsx',
    'export default function Layout({ children }) { return <html><body>{children}</body></html>; }',
  );
  write(
    'app/page.jsx',
    `import { hub } from '../lib/hub';
     async function announce() { 'use server'; await hub.publish('news', 'from the action'); }
     export default function Page() { return <form action={announce}><button>Announce</button></form>; }`,
  );
}

function publishRoute(version: string): string {
  return `import { hub } from '../../lib/hub';
    export async function POST() { return Response.json({ ...await hub.publish('news', ${JSON.stringify(version)}), version: ${JSON.stringify(version)} }); }`;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(project.folder, path)), { recursive: true });
  writeFileSync(join(project.folder, path), text);
}

function next(args: readonly string[], more: object = {}): ChildProcess {
  const cli = join(project.folder, 'node_modules/next/dist/bin/next');
  const program = spawn(process.execPath, [cli, ...args], {
    cwd: project.folder,
    env: { ...environment, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
    // `next dev` has processes of its own.
    detached: true,
  });
  programs.add(program);
  program.on('exit', () => programs.delete(program));
  return program;
}

function kill({ pid }: ChildProcess): void {
  if (pid !== undefined) process.kill(-pid, 'SIGKILL');
}

async function serve(
  args: readonly string[],
  more: object = {},
): Promise<{ program: ChildProcess; url: string }> {
  const port = await freePort();
  const program = next([...args, '-p', String(port), '-H', '127.0.0.1'], more);
  let output = '';
  const ready = new Promise<void>((resolve, reject) => {
    const take = (text: Buffer): void => {
      output += stripVTControlCharacters(text.toString());
      if (output.includes('Ready in')) resolve();
    };
    program.stdout?.on('data', take);
    program.stderr?.on('data', take);
    program.on('exit', () => reject(new Error(`next ${args.join(' ')} ended: ${output}`)));
  });
  await within('start of Next', ready);
  return { program, url: `http://127.0.0.1:${port}` };
}

/** The first request of a route in development compiles it. */
async function publish(url: string): Promise<unknown> {
  const reply = await ask(`${url}/publish`, { method: 'POST' });
  return reply.status === 200 ? (await reply.json())['version'] : undefined;
}

/** An answer is produced once, followed by a second request while it comes and after it, and stopped by a third. */
async function checkAnswers(url: string): Promise<void> {
  const post = (id: string, run: string): Promise<Response> =>
    fetch(`${url}/api/chat`, { method: 'POST', body: JSON.stringify({ id, run }) });
  const deltasOf = (text: string): string =>
    Array.from(text.matchAll(/"delta":"(.*?)"/g), ([, delta]) => delta).join('');
  const first = await post('demo-1', 'r1');
  expect(first.headers.get('x-vercel-ai-ui-message-stream')).toBe('v1');
  const read = async (answer: Response): Promise<[number, string]> => [answer.status, await answer.text()];
  const [live, again, [, whole]] = await Promise.all([
    fetch(`${url}/api/chat/demo-1/stream`).then(read),
    post('demo-1', 'r1').then(read),
    read(first),
  ]);
  expect(deltasOf(whole)).toBe('The tide comes in.');
  expect([live, again]).toEqual([
    [200, whole],
    [200, whole],
  ]);
  // It has ended: a page that has stored it needs nothing.
  const messageId = /"messageId":"(.*?)"/.exec(whole)?.[1] ?? '';
  expect((await fetch(`${url}/api/chat/demo-1/stream?last=${messageId}`)).status).toBe(204);

  const stopped = await post('demo-2', 'r2');
  expect((await fetch(`${url}/api/chat/demo-2/stop`, { method: 'POST' })).status).toBe(204);
  const text = await stopped.text();
  expect(text).toContain('"abort"');
  expect('The tide comes in.'.startsWith(deltasOf(text))).toBe(true);
  expect((await fetch(`${url}/api/chat/private/stream`)).status).toBe(403);
}

describe('An app of Next.js', () => {
  beforeAll(() => {
    writeApp();
    whyNot = project.install(PACKAGES, PATIENCE);
  }, PATIENCE);

  test(
    'that is built has one hub for routes, server actions and its shutdown',
    { timeout: PATIENCE },
    async ({ skip }) => {
      if (whyNot !== undefined) skip(whyNot);
      const build = next(['build']);
      let output = '';
      build.stdout?.on('data', (text: Buffer) => (output += text.toString()));
      build.stderr?.on('data', (text: Buffer) => (output += text.toString()));
      const [built] = (await once(build, 'exit')) as [number | null];
      expect(output).not.toContain('rror');
      expect(built).toBe(0);

      const { program, url } = await serve(['start'], { NEXT_MANUAL_SIG_HANDLE: 'true' });
      const { frames } = await ask(`${url}/events?topic=news`);
      await frames.nextEvent();
      expect(await publish(url)).toBe('first');
      expect((await frames.nextEvent()).data).toBe('"first"');

      const home = await ask(url);
      await home.frames.end();
      const action = /\$ACTION_ID_[0-9a-f]+/.exec(home.frames.text)?.[0] ?? 'no action in the page';
      const form = new FormData();
      form.set(action, '');
      expect((await fetch(url, { method: 'POST', body: form, headers: { origin: url } })).status).toBe(200);
      expect((await frames.nextEvent()).data).toBe('"from the action"');

      await checkAnswers(url);

      const exit = once(program, 'exit');
      program.kill('SIGTERM');
      expect((await frames.nextEvent()).type).toBe('tidings:goodbye');
      await frames.end();
      expect(await within('end of Next', exit)).toEqual([0, null]);
    },
  );

  test(
    'that is edited keeps its hub, and the streams that are open',
    { timeout: PATIENCE },
    async ({ skip }) => {
      if (whyNot !== undefined) skip(whyNot);
      const { program, url } = await serve(['dev']);
      const { frames } = await ask(`${url}/events?topic=news`);
      await frames.nextEvent();
      expect(await publish(url)).toBe('first');
      expect((await frames.nextEvent()).data).toBe('"first"');

      write('app/publish/route.js', publishRoute('second'));
      write('lib/hub.js', `${readFileSync(join(project.folder, 'lib/hub.js'), 'utf8')}\n// edited\n`);
      await untilAsync('the edited route is there', async () => (await publish(url)) === 'second');
      await frames.until('an event of the edited route', () =>
        frames.events.some(({ data }) => data === '"second"'),
      );
      kill(program);
    },
  );
});
