import Module from 'node:module';
import { expect, onTestFinished, test, vi } from 'vitest';

/** As Node fails when a package isn't installed. */
function notFound(name: string): Error {
  return Object.assign(new Error(`Cannot find package '${name}'`), { code: 'ERR_MODULE_NOT_FOUND' });
}

function hide(name: string): void {
  vi.doMock(name, () => {
    throw notFound(name);
  });
  onTestFinished(() => vi.doUnmock(name));
}

const missing = (name: string): Error =>
  expect.objectContaining({
    code: 'package/missing',
    message: expect.stringContaining(`npm install ${name}`),
    details: { package: name },
  }) as Error;

test('An LMDB log without the package, or without its binary, says what to install', async () => {
  const { lmdbLog } = await import('../src/logs/lmdb/index.ts');
  type Loader = (request: string, ...rest: unknown[]) => unknown;
  const loader = Module as unknown as { _load: Loader };
  const load = loader._load;
  onTestFinished(() => void (loader._load = load));
  for (const failure of [notFound('lmdb'), new Error('No native build was found for platform=linux')]) {
    loader._load = function (request, ...rest) {
      if (request === 'lmdb') throw failure;
      return load.call(this, request, ...rest);
    };
    expect(() => lmdbLog({ path: 'never' })).toThrow(missing('lmdb'));
    expect(() => lmdbLog({ path: 'never' })).toThrow(expect.objectContaining({ cause: failure }) as Error);
  }
});

test('A Redis log with `url` but without the client says what to install', async () => {
  hide('@redis/client');
  const { redisLog } = await import('../src/logs/redis/index.ts');
  await expect(redisLog({ url: 'redis://127.0.0.1:1' })).rejects.toThrow(missing('@redis/client'));
});

test('A PostgreSQL log with `url` but without the client says what to install', async () => {
  hide('pg');
  const { postgresLog } = await import('../src/logs/postgres/index.ts');
  await expect(postgresLog({ url: 'postgres://127.0.0.1:1/none' })).rejects.toThrow(missing('pg'));
});
