import { afterAll, expect, test } from 'vitest';
import { installPacked } from './packed.mjs';

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
