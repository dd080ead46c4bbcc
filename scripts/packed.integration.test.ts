import { readFileSync } from 'node:fs';
import { transportContract } from 'tidings/testing';
import { afterAll, expect, test } from 'vitest';
import { installPacked } from './packed.mjs';
import { extractSnippets } from './snippets.mjs';

const project = installPacked();
afterAll(() => project.remove());

test('the packed library compiles and runs in a project of its own, by its public exports alone', () => {
  project.write(
    'user.ts',
    `import { Tail } from 'tidings/log';
     import { logContract } from 'tidings/testing';
     console.log(new Tail({ epoch: 'e', retention: {} }).head, logContract.length > 0);`,
  );
  expect(project.compile()).toBe('');
  expect(project.run('user.js')).toEqual({ status: 0, output: '0 true\n' });
  project.write('stranger.ts', `import 'tidings/dist/log/tail.js';\n`);
  expect(project.compile()).toMatch(/stranger\.ts.*TS2307|TS2882/);
  project.write('stranger.ts', '');
});

test('the transport of the guide compiles with the packed library, and passes the contract', () => {
  const page = 'docs/guides/write-your-own-transport.md';
  const [snippet] = extractSnippets(page, readFileSync(new URL(`../${page}`, import.meta.url), 'utf8'));
  project.write('transport.ts', snippet?.text ?? '');
  expect(project.compile()).toBe('');
  const { status, output } = project.run('transport.js');
  expect([status, output.match(/^ok: /gm)?.length]).toEqual([0, transportContract.length]);
});

test('the client compiles without the types of a browser, and takes the fetch of Node', () => {
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2023',
    lib: ['ES2023'],
    types: ['node'],
    strict: true,
  };
  project.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['client-user.ts'] }));
  project.write(
    'client-user.ts',
    `import { type ClientOptions, connect, xhrFetch } from 'tidings/client';
     const { signal } = new AbortController();
     const options: ClientOptions = { fetch, headers: new Headers(), credentials: 'include', signal, body: () => 'x' };
     connect('http://localhost', options).close();
     connect(new URL('http://localhost'), { fetch: (url: string, init: RequestInit) => fetch(url, init) }).close();
     await using client = connect('http://localhost', { fetch: xhrFetch, headers: async () => [['a', 'b']] });
     client.onOpen(({ response }) => response.headers.get('x')?.trim());
     for await (const { data } of client) console.log(data.length);`,
  );
  expect(project.compile()).toBe('');
});
