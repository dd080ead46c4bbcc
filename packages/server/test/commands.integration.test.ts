import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../tidings/test/faults/free-port.ts';
import { until } from '../../tidings/test/http/deadline.ts';
import {
  PROGRAM,
  SECRET,
  type Started,
  makeFolder,
  removeFolder,
  run,
  runHere,
  startServer,
  tokenFor,
} from './server-process.ts';

const folder = makeFolder();
let port: number;
let server: Started;
let environment: Record<string, string>;

/** On the same port and the same log each time. */
function start(): Promise<Started> {
  return startServer({
    args: [`--listen-port=${port}`],
    environment: { TIDINGS_AUTH_JWT_SECRET: SECRET, TIDINGS_LOG_URL: `lmdb:${join(folder, 'log')}` },
  });
}

beforeAll(async () => {
  port = await freePort();
  server = await start();
  const token = await tokenFor('me', { publish: ['*'], subscribe: ['*'], private: ['*'] });
  environment = { TIDINGS_URL: server.publicUrl, TIDINGS_TOKEN: token };
});
afterAll(async () => {
  await server.stop();
  removeFolder(folder);
});

/** `tidings subscribe`, with what it has printed so far. */
function subscribe(...args: readonly string[]) {
  const child = spawn(process.execPath, [PROGRAM, 'subscribe', ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const printed = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => (printed.out += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (printed.err += String(chunk)));
  const exited = once(child, 'close');
  return {
    printed,
    connected: () =>
      until('connected', () => {
        if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode}: ${printed.err}`);
        return printed.err.includes('connected');
      }),
    /** @returns the exit status. */
    async stop(signal: NodeJS.Signals = 'SIGTERM') {
      child.kill(signal);
      await exited;
      return child.exitCode;
    },
    async ended() {
      await exited;
      return child.exitCode;
    },
  };
}

describe('tidings publish', () => {
  test('publishes text, JSON, the standard input and lines', async () => {
    const reader = subscribe('many', '--json', '--count', '6');
    await reader.connected();
    const text = await run(['publish', 'many', 'two words'], { environment });
    expect([text.status, text.err]).toEqual([0, '']);
    expect(text.out).toMatch(/^\S+\.\d+\n$/);
    await run(['publish', 'many', '{"n":1}', '--json', '--type', 'note', '--private'], { environment });
    await run(['publish', 'other', '--topic', 'many'], { environment, input: 'piped\n' });
    const lines = '{"topics":"many","data":1}\n\n{"topics":"many","data":2}\n{"topics":"many","data":3}';
    const sent = await run(['publish', '--lines'], { environment, input: lines });
    expect([sent.status, sent.out.trim().split('\n').length]).toEqual([0, 3]);
    expect(await reader.ended()).toBe(0);
    expect(
      reader.printed.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
        .map(({ type, data }) => [type, data]),
    ).toEqual([
      ['message', 'two words'],
      ['note', { n: 1 }],
      ['message', 'piped'],
      ['message', 1],
      ['message', 2],
      ['message', 3],
    ]);
  });

  test.each<[string, string[], number, string]>([
    ['nothing to publish on', ['publish'], 2, 'Expected a topic'],
    ['too many words', ['publish', 'a', 'b', 'c'], 2, 'quote the data'],
    ['a misspelt flag', ['publish', 'a', 'b', '--privat'], 2, '--private'],
    ['a flag without its group', ['serve', '--port=1'], 2, 'Did you mean --listen-port or --internal-port?'],
    ['data that is no JSON', ['publish', 'a', '{', '--json'], 2, 'JSON'],
    ['a ttl without a unit', ['publish', 'a', 'b', '--key', 'k', '--ttl', '5'], 2, '30s'],
    ['a refusal', ['publish', 'presence/a', 'b'], 1, 'topic/reserved'],
  ])('says what is wrong with %s', async (_name, args, status, text) => {
    const ended = await runHere(args, environment);
    expect([ended.status, ended.out]).toEqual([status, '']);
    expect(ended.err).toContain(text);
  });

  test('says what is wrong with a broken line', async () => {
    const ended = await run(['publish', '--lines'], { environment, input: '{' });
    expect([ended.status, ended.out]).toEqual([1, '']);
    expect(ended.err).toContain('request/invalid-body');
  });

  test('says that a server can’t be reached, and tries as often as it should', async () => {
    const nowhere = { ...environment, TIDINGS_URL: `http://127.0.0.1:${await freePort()}` };
    const ended = await runHere(['publish', 'a', 'b', '--retries', '1'], nowhere);
    expect([ended.status, ended.err.match(/can't be reached/g)?.length]).toEqual([1, 2]);
  });
});

describe('tidings subscribe', () => {
  test('goes on over a restart of the server, and over its own, without losing anything', async () => {
    const file = join(folder, 'cursor');
    const first = subscribe('orders', '--cursor-file', file);
    await first.connected();
    await run(['publish', 'orders', 'one'], { environment });
    await until('one', () => first.printed.out === 'one\n');
    expect(await server.stop()).toBe(0);
    server = await start();
    await run(['publish', 'orders', 'two'], { environment });
    await until('two', () => first.printed.out === 'one\ntwo\n');
    await until('the news of it', () => first.printed.err.includes('nothing is missing'));
    expect(await first.stop('SIGINT')).toBe(0);
    expect(readFileSync(file, 'utf8')).toMatch(/^\S+\.\d+\n$/);
    await run(['publish', 'orders', 'three'], { environment });
    await server.stop('SIGKILL');
    server = await start();
    const second = subscribe('orders', '--cursor-file', file, '--count', '1');
    expect(await second.ended()).toBe(0);
    expect(second.printed.out).toBe('three\n');
  });

  test('ends with 1 where it is refused', async () => {
    const refused = subscribe('a', '--token', 'x.y.z');
    expect(await refused.ended()).toBe(1);
    expect(refused.printed.err).toContain('auth/unauthorized');
    expect(refused.printed.err).not.toContain('sent none');
  });

  test('and publishing say how to give a token if they were given none', async () => {
    const refused = subscribe('a', '--token', '');
    expect(await refused.ended()).toBe(1);
    expect(refused.printed.err).toContain('This command sent none: give it --token-file or TIDINGS_TOKEN.');
    const { status, err } = await runHere(['publish', 'a', 'x'], { ...environment, TIDINGS_TOKEN: '' });
    expect(status).toBe(1);
    expect(err).toContain('This command sent none: give it --token-file or TIDINGS_TOKEN.');
  });

  test('says that events are missing, and with --strict ends with 1', async () => {
    const file = join(folder, 'strange-cursor');
    writeFileSync(file, 'another-epoch.5\n');
    const reader = subscribe('orders', '--cursor-file', file, '--strict');
    expect(await reader.ended()).toBe(1);
    expect(reader.printed.err).toContain('events are missing on orders');
  });
});

describe('tidings serve', () => {
  const serve = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    runHere(['serve', '--listen-port=0', '--internal-port=0', '--log-url=memory:', ...args], env);

  test.each<[string, string[], Record<string, string>, string, string]>([
    [
      'without keys where others could reach it',
      ['--listen-host=0.0.0.0'],
      {},
      'config/insecure',
      'auth.jwt.secret',
    ],
    ['without keys in production', [], { NODE_ENV: 'production' }, 'config/insecure', 'auth.jwt.secret'],
    ['with a key that is too short', [], { TIDINGS_AUTH_JWT_SECRET: 'short' }, 'config/invalid', '32'],
    ['with a log that it doesn’t know', ['--log-url=mysql://x'], {}, 'config/invalid', 'postgres://'],
    [
      'with a durability of another engine',
      ['--log-durability=replica'],
      {},
      'config/invalid',
      'log.durability',
    ],
    [
      'with a variable that doesn’t exist',
      [],
      { TIDINGS_LOG_URLS: 'x' },
      'config/unknown',
      'TIDINGS_LOG_URL',
    ],
    ['with a rule that makes no sense', ['--topics=[{"state": true}]'], {}, 'config/invalid', 'topics[0]'],
    [
      'with a rule that is misspelt',
      ['--topics=[{"topic": "a", "stat": true}]'],
      {},
      'config/invalid',
      'state',
    ],
    [
      'with cookies for everybody',
      ['--cors-origins=*', '--cors-credentials'],
      { TIDINGS_AUTH_JWT_SECRET: SECRET },
      'config/insecure',
      'cors.credentials',
    ],
  ])('refuses to run %s', async (_name, args, env, code, text) => {
    const ended = await serve(args, env);
    expect([ended.status, ended.err.includes(code), ended.err.includes(text)]).toEqual([1, true, true]);
  });

  test('says which flag was likely meant', async () => {
    const ended = await serve(['--listen-prot=1']);
    expect([ended.status, ended.err.includes('--listen-port')]).toEqual([2, true]);
  });

  test('says that the port is taken, without a stack', async () => {
    const ended = await run(['serve', `--listen-port=${port}`, '--internal-port=0'], {
      environment: { TIDINGS_AUTH_JWT_SECRET: SECRET, TIDINGS_LOG_URL: 'memory:' },
    });
    expect(ended.status).toBe(1);
    expect(ended.err).toContain(`${port}`);
    expect(ended.err).not.toContain('    at ');
  });
});

/** The status of an answer that ends, asked for by this name. */
async function statusFor(port: number, host: string): Promise<number | undefined> {
  const asked = request({
    port,
    host: '127.0.0.1',
    path: '/v1/events?topic=a&wait=0',
    headers: { host },
  }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

describe('on a laptop, with nothing configured', () => {
  test('the commands that serve prints work, and a token made in the same folder does, too', async () => {
    const home = makeFolder();
    onTestFinished(() => removeFolder(home));
    const local = await startServer({ folder: home, environment: {} });
    onTestFinished(async () => void (await local.stop('SIGKILL')));
    await until('welcome', () => local.output().includes('To run it elsewhere'));
    const [stream = '', publish = ''] = local.output().match(/^ {2}curl .*$/gm) ?? [];
    const curl = (command: string) => spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'ignore'] });
    const reading = curl(`exec ${stream.trim().replace('curl', 'curl -s')}`);
    onTestFinished(() => void reading.kill());
    let received = '';
    reading.stdout.on('data', (chunk: Buffer) => (received += String(chunk)));
    await until('welcome of the stream', () => received.includes('tidings:welcome'));
    const [status] = await once(curl(`${publish.trim()} -sf`), 'exit');
    expect(status).toBe(0);
    await until('event', () => received.includes('data: "Hello"'));
    const port = Number(new URL(local.publicUrl).port);
    for (const [name, status] of [
      ['localhost', 200],
      ['app.localhost', 200],
      ['[::1]', 200],
      ['rebound.example', 403],
      ['localhost.example', 403],
    ] as const)
      expect(await statusFor(port, `${name}:${port}`), name).toBe(status);
    const token = await run(['token', '--publish', 'news/*'], { folder: home });
    const sent = await runHere(['publish', 'news/1', 'x', '--url', local.publicUrl], {
      TIDINGS_TOKEN: token.out.trim(),
    });
    expect([sent.status, sent.err]).toEqual([0, '']);
  });
});

describe('with keys configured', () => {
  test('tokens and API keys work until they are revoked, and health says whether it is ready', async () => {
    const apiKey = await runHere(['token', 'api-key', 'shop', '--publish', 'orders/*']);
    const entry = JSON.parse(apiKey.err.split('\n')[1] ?? '');
    const configured = {
      TIDINGS_AUTH_JWT_SECRET: SECRET,
      TIDINGS_AUTH_API_KEYS: JSON.stringify([entry]),
      TIDINGS_INTERNAL_TOKEN: 'an-admin-token-of-the-tests',
      TIDINGS_LOG_URL: 'memory:',
    };
    const other = await startServer({ environment: configured });
    onTestFinished(async () => void (await other.stop('SIGKILL')));
    const at = ['--url', other.publicUrl];
    const publish = (topic: string, token: string) =>
      runHere(['publish', topic, 'x', ...at], { TIDINGS_TOKEN: token });
    expect((await publish('orders/1', apiKey.out.trim())).status).toBe(0);
    expect((await publish('news', apiKey.out.trim())).err).toContain('auth/forbidden');
    const token = await runHere(
      ['token', '--subject', 'ann', '--publish', 'news', '--subscribe', 'user/{sub}/*'],
      configured,
    );
    expect((await publish('news', token.out.trim())).status).toBe(0);
    const reader = subscribe('--pattern', 'user/ann/*', ...at, '--token', token.out.trim());
    await reader.connected();
    const internal = ['--internal-url', other.internalUrl];
    const revoked = await runHere(['revoke', 'ann', ...internal], configured);
    expect([revoked.status, revoked.err]).toEqual([0, '']);
    expect(await reader.ended()).toBe(1);
    expect(reader.printed.err).toContain('was revoked');
    expect((await run(['health', ...internal])).status).toBe(0);
    expect((await runHere(['health', '--live', ...internal])).status).toBe(0);
    await other.stop();
    expect((await runHere(['health', ...internal])).status).toBe(1);
  });

  test.each<[string, string[], string]>([
    ['a token that could do nothing', ['token'], '--publish'],
    ['a lifetime without a unit', ['token', '--publish', 'a', '--expires', '60'], '--expires'],
    ['a revocation of nobody', ['revoke'], '--token-id'],
    ['a revocation of too much', ['revoke', 'ann', '--token-id', 'x'], 'alone'],
  ])('%s is refused', async (_name, args, text) => {
    const ended = await runHere(args, { TIDINGS_AUTH_JWT_SECRET: SECRET });
    expect([ended.status, ended.out, ended.err.includes(text)]).toEqual([2, '', true]);
  });
});

describe('tidings config', () => {
  test('checks a file, prints what counts and hides secrets', async () => {
    const file = join(folder, 'tidings.yaml');
    writeFileSync(
      file,
      'log:\n  url: lmdb:./events\npublish:\n  rate: 10\nauth:\n  jwt:\n    secret-file: ./key\n',
    );
    writeFileSync(join(folder, 'key'), `${SECRET}\n`);
    const check = await run(['config', 'check', '--config', file]);
    expect([check.status, check.out, check.err]).toEqual([0, 'The configuration is valid.\n', '']);
    const print = await run(['config', 'print', '--config', file, '--publish-rate', '20'], {
      folder: tmpdir(),
    });
    expect(print.out).toContain('publish.rate: 20  # flag\n');
    expect(print.out).toContain(`log.url: "lmdb:${join(folder, 'events')}"  # file\n`);
    expect(print.out).toContain('auth.jwt.secret: (hidden)  # file\n');
    expect(print.out).not.toContain(SECRET);
  });

  test('names everything that is wrong at once', async () => {
    const file = join(folder, 'broken.yaml');
    writeFileSync(file, 'publish: {rat: 1}\nstream: {heartbeat: 15}\n');
    const check = await runHere(['config', 'check', '--config', file]);
    expect([check.status, check.err.trim().split('\n').length]).toEqual([1, 2]);
    expect((await runHere(['config', 'chek'])).status).toBe(2);
  });

  test('prints variables that are a configuration', async () => {
    const { out } = await runHere(['config', 'env']);
    const variables = Object.fromEntries(
      out
        .split('\n')
        .filter((line) => line.startsWith('TIDINGS_'))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    expect(variables['TIDINGS_LISTEN_PORT']).toBe('3333');
    const check = await runHere(['config', 'check'], variables);
    expect([check.status, check.err]).toEqual([0, '']);
  });
});
