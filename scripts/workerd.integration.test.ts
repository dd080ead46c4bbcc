import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, expect, test } from 'vitest';
import { ask } from '../packages/tidings/test/http/client.ts';
import { untilAsync, within } from '../packages/tidings/test/http/deadline.ts';
import { extractSnippets } from './snippets.mjs';

const require = createRequire(import.meta.url);
const page = 'docs/guides/frameworks.md';
const library = fileURLToPath(new URL('../packages/tidings/dist/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tidings-worker-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** https://github.com/cloudflare/workerd: a configuration in Cap'n Proto. */
const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2025-07-01",
  durableObjectNamespaces = [(className = "Events", uniqueKey = "events")],
  durableObjectStorage = (inMemory = void),
  bindings = [(name = "EVENTS", durableObjectNamespace = "Events")],
);
`;

/** The program of the guide, as a bundler makes it one module. */
async function bundle(): Promise<void> {
  const text = readFileSync(new URL(`../${page}`, import.meta.url), 'utf8');
  const snippet = extractSnippets(page, text).find(({ name }) => name.endsWith('.worker.ts'));
  const input = join(folder, 'worker.ts');
  writeFileSync(input, snippet?.text ?? '');
  const alias = { 'tidings/fetch': join(library, 'fetch/index.js'), tidings: join(library, 'index.js') };
  const build = await rolldown({ input, resolve: { alias } });
  await build.write({ file: join(folder, 'worker.js'), format: 'esm' });
  await build.close();
}

/** The binary is an optional dependency of its own, one package for each platform. */
function workerd(): string {
  const name = `@cloudflare/workerd-${process.platform.replace('win32', 'windows')}-${process.arch === 'arm64' ? 'arm64' : '64'}`;
  const from = createRequire(require.resolve('workerd/package.json'));
  const extension = process.platform === 'win32' ? '.exe' : '';
  return join(dirname(from.resolve(`${name}/package.json`)), `bin/workerd${extension}`);
}

test('the Durable Object of the guide serves streams that other requests publish to, and forgets peers that leave', async () => {
  await bundle();
  const config = join(folder, 'config.capnp');
  writeFileSync(config, CONFIG);
  const program = spawn(workerd(), ['serve', config, '--control-fd=1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(program, 'exit');
  try {
    const [line] = (await within('port of workerd', once(createInterface(program.stdout), 'line'))) as [
      string,
    ];
    const url = `http://127.0.0.1:${(JSON.parse(line) as { port: number }).port}`;
    const publish = (json: unknown) => ask(`${url}/publish`, { method: 'POST', json });

    const [first, second] = [await ask(`${url}/events?topic=news`), await ask(`${url}/events?topic=news`)];
    const { connection, secret } = JSON.parse((await first.frames.nextEvent()).data) as Record<
      string,
      string
    >;
    await second.frames.nextEvent();
    expect((await publish({ n: 1 })).status).toBe(200);
    for (const { frames } of [first, second]) expect((await frames.nextEvent()).data).toBe('{"n":1}');

    const change = { connection, secret, add: ['sport'] };
    expect((await ask(`${url}/events`, { method: 'POST', json: change })).status).toBe(200);

    // One that has left is unknown when it is to be changed.
    first.cut();
    await untilAsync('the connection is forgotten', async () => {
      const { status } = await ask(`${url}/events`, { method: 'POST', json: { connection, secret } });
      return status === 404;
    });
    await publish({ n: 2 });
    const { id, data } = await second.frames.nextEvent();
    expect(data).toBe('{"n":2}');
    const resumed = await ask(`${url}/events?topic=news`, { headers: { 'last-event-id': id ?? '' } });
    expect(JSON.parse((await resumed.frames.nextEvent()).data)).toMatchObject({ resumed: true, gaps: [] });
    for (const { cut } of [second, resumed]) cut();
  } finally {
    program.kill();
    await within('end of workerd', exit);
  }
});
