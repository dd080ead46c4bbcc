import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, type RequestListener, type Server, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';
import { type Hub, createHub } from 'tidings';
import { type NodeHandlerOptions, type NodeRequest, sse } from 'tidings/node';
import { afterAll, describe, expect, it } from 'vitest';
import { haproxy, nginx } from '../../../scripts/needs.mjs';
import { runCli } from '../src/cli/run.ts';
import type { Finding } from '../src/doctor/finding.ts';
import { diagnose } from '../src/doctor/index.ts';
import { type Proxy, shippedHaproxy, shippedNginx, startHaproxy, startNginx } from './proxies.ts';

const HEARTBEAT = 3000;
/** Long, since all of them run at once, maybe on a busy machine. Those that are to run out of it wait as long. */
const PATIENCE = 10_000;
const cleanUps: (() => unknown)[] = [];
const execute = promisify(execFile);

// Not after each test: they run side by side, since all of them mostly wait for heartbeats.
afterAll(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function listen(listener: RequestListener): Promise<number> {
  const server: Server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUps.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function listenAsHub(options: NodeHandlerOptions<NodeRequest> = {}): Promise<number> {
  const hub: Hub = createHub({ heartbeat: HEARTBEAT });
  cleanUps.push(() => hub.close());
  return listen(sse(hub, options));
}

async function behind(proxy: Promise<Proxy>): Promise<string> {
  const { port, stop } = await proxy;
  cleanUps.push(stop);
  return urlOf(port);
}

const urlOf = (port: number) => `http://127.0.0.1:${port}/events?topic=a`;

async function findingsAt(url: string, { origin, watch }: { origin?: string; watch?: number } = {}) {
  const { findings } = await diagnose({
    url: new URL(url),
    headers: {},
    patience: PATIENCE,
    watch,
    origin,
    signal: new AbortController().signal,
  });
  return findings;
}

const bad = (findings: readonly Finding[]) =>
  findings.filter(({ verdict }) => verdict !== 'ok' && verdict !== 'note');
const checksOf = (findings: readonly Finding[]) =>
  findings.map(({ check, verdict }) => `${check}: ${verdict}`);

const location = (hub: number, directives: string) => (port: number) =>
  `server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${hub}; proxy_http_version 1.1; ${directives} } }`;

describe.skipIf(nginx.find() === undefined).concurrent('the doctor, through nginx', () => {
  it('finds nothing wrong with the configuration that we ship', async () => {
    const findings = await findingsAt(await behind(shippedNginx(await listenAsHub())));
    expect(bad(findings)).toEqual([]);
    expect(checksOf(findings)).toEqual(
      expect.arrayContaining(['stream: ok', 'heartbeat: ok', 'resume: ok', 'post: ok']),
    );
  });

  it('names nginx when it compresses without flushing, and the directives that mend it', async () => {
    const hub = await listenAsHub();
    const compressing =
      'proxy_ignore_headers X-Accel-Buffering; gzip on; gzip_types text/event-stream; gzip_min_length 0;';
    const findings = await findingsAt(await behind(startNginx(location(hub, compressing))));
    expect(bad(findings)).toEqual([
      expect.objectContaining({
        check: 'compression',
        verdict: 'problem',
        title: expect.stringContaining('likely nginx, compresses the stream'),
        advice: expect.stringContaining('gzip off;'),
      }),
    ]);
  });

  it('says after how long a silent stream is cut off, and that the heartbeat is longer', async () => {
    const hub = createHub({ heartbeat: 30_000 });
    cleanUps.push(() => hub.close());
    const port = await listen(sse(hub));
    const proxy = startNginx(location(port, 'proxy_buffering off; proxy_read_timeout 1s;'));
    const [cut, ...others] = bad(await findingsAt(await behind(proxy), { watch: 20_000 }));
    expect(others).toEqual([]);
    expect(cut).toMatchObject({ check: 'cut-off', verdict: 'problem' });
    expect(cut?.title).toMatch(/without a goodbye/);
    expect(cut?.advice).toMatch(/heartbeat is 30 s.*proxy_read_timeout/s);
  });

  it('notices that Last-Event-ID is dropped', async () => {
    const hub = await listenAsHub();
    const proxy = startNginx(location(hub, 'proxy_buffering off; proxy_set_header Last-Event-ID "";'));
    expect(checksOf(bad(await findingsAt(await behind(proxy))))).toEqual(['resume: problem']);
  });

  it('notices a cache that answers for the server', async () => {
    const hub = await listenAsHub();
    const proxy = startNginx(
      (port, folder) =>
        `proxy_cache_path ${folder}/cache keys_zone=all:1m; ${location(
          hub,
          'proxy_ignore_headers X-Accel-Buffering Cache-Control Set-Cookie Vary; proxy_cache all; proxy_cache_valid 200 1m;',
        )(port)}`,
    );
    expect(checksOf(bad(await findingsAt(await behind(proxy))))).toContain('cache: problem');
  });

  it('notices that POST is refused', async () => {
    const hub = await listenAsHub();
    const proxy = startNginx(location(hub, 'proxy_buffering off; limit_except GET { deny all; }'));
    expect(checksOf(bad(await findingsAt(await behind(proxy))))).toEqual(['post: warning']);
  });

  it('notices two servers with a log each', async () => {
    const [one, other] = [await listenAsHub(), await listenAsHub()];
    const proxy = startNginx(
      (port) =>
        `upstream both { server 127.0.0.1:${one}; server 127.0.0.1:${other}; }
        server { listen 127.0.0.1:${port}; location / { proxy_pass http://both; proxy_http_version 1.1; proxy_buffering off; } }`,
    );
    expect(checksOf(bad(await findingsAt(await behind(proxy))))).toContain('nodes: problem');
  });

  it('notices that the headers of CORS are taken away', async () => {
    const hub = await listenAsHub({ cors: { origin: 'https://app.example' } });
    const proxy = startNginx(
      location(hub, 'proxy_buffering off; proxy_hide_header Access-Control-Allow-Origin;'),
    );
    const url = await behind(proxy);
    expect(checksOf(bad(await findingsAt(url, { origin: 'https://app.example' })))).toEqual([
      'cors: problem',
    ]);
  });

  it('streams over HTTP/2, and says that a certificate is not trusted', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tidings-certificate-'));
    cleanUps.push(() => rmSync(folder, { recursive: true }));
    const made = [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
    ];
    await execute('openssl', [...made, '-keyout', `${folder}/key.pem`, '-out', `${folder}/cert.pem`]);
    const hub = await listenAsHub();
    const { port, stop } = await startNginx(
      (own) =>
        `server { listen 127.0.0.1:${own} ssl http2; ssl_certificate ${folder}/cert.pem; ssl_certificate_key ${folder}/key.pem;
        location / { proxy_pass http://127.0.0.1:${hub}; proxy_http_version 1.1; proxy_buffering off; } }`,
    );
    cleanUps.push(stop);
    const url = `https://localhost:${port}/events?topic=a`;
    const untrusted = await findingsAt(url);
    expect(checksOf(untrusted)).toEqual(['connect: problem']);
    expect(untrusted[0]?.advice).toContain('NODE_EXTRA_CA_CERTS');
    const program = `
      import { diagnose } from ${JSON.stringify(new URL('../dist/doctor/index.js', import.meta.url).href)};
      const signal = new AbortController().signal;
      const options = { url: new URL(${JSON.stringify(url)}), headers: {}, patience: ${PATIENCE}, signal };
      console.log(JSON.stringify(await diagnose(options)));`;
    const { stdout } = await execute(process.execPath, ['--input-type=module', '-e', program], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: `${folder}/cert.pem` },
    });
    const { findings } = JSON.parse(stdout) as { findings: readonly Finding[] };
    expect(bad(findings)).toEqual([]);
    expect(checksOf(findings)).toEqual(
      expect.arrayContaining(['http-version: ok', 'stream: ok', 'heartbeat: ok']),
    );
  });
});

describe.skipIf(haproxy.find() === undefined).concurrent('the doctor, through HAProxy', () => {
  const configuration = (hub: number, more: string) => (port: number) =>
    `
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend web
    bind 127.0.0.1:${port}
    default_backend hub
backend hub
    ${more}
    server one 127.0.0.1:${hub}
`;

  it('finds nothing wrong with the configuration that we ship', async () => {
    const findings = await findingsAt(await behind(shippedHaproxy(await listenAsHub())));
    expect(bad(findings)).toEqual([]);
  });

  it('notices that it waits for bodies before it hands them on', async () => {
    const hub = await listenAsHub();
    const url = await behind(startHaproxy(configuration(hub, 'http-response wait-for-body time 30s')));
    const [held, ...others] = bad(await findingsAt(url));
    expect(others).toEqual([]);
    expect(held).toMatchObject({ check: 'stream', verdict: 'problem' });
    expect(held?.title).toContain('holds the whole response back: answers that end do pass');
  });

  it('says after how long a silent stream is cut off', async () => {
    const hub = createHub({ heartbeat: 30_000 });
    cleanUps.push(() => hub.close());
    const port = await listen(sse(hub));
    const url = await behind(startHaproxy(configuration(port, 'timeout server 1s')));
    expect(checksOf(bad(await findingsAt(url, { watch: 20_000 })))).toEqual(['cut-off: problem']);
  });

  it('notices that Last-Event-ID is dropped', async () => {
    const hub = await listenAsHub();
    const url = await behind(startHaproxy(configuration(hub, 'http-request del-header Last-Event-ID')));
    expect(checksOf(bad(await findingsAt(url)))).toEqual(['resume: problem']);
  });
});

describe.concurrent('the doctor, in front of servers', () => {
  it('tells compression that holds the stream back from other buffering', async () => {
    const hub = await listenAsHub();
    // As a proxy does that compresses and never flushes.
    const port = await listen((req, res) => {
      forward(req, hub, (answer) => {
        const mayCompress = /gzip/.test(req.headers['accept-encoding'] ?? '');
        res.writeHead(answer.statusCode ?? 0, {
          ...answer.headers,
          ...(mayCompress && { 'content-encoding': 'gzip' }),
        });
        res.flushHeaders();
        if (mayCompress) answer.pipe(createGzip()).pipe(res);
        else answer.pipe(res);
        res.on('close', () => answer.destroy());
      });
    });
    expect(checksOf(bad(await findingsAt(urlOf(port))))).toEqual(['compression: problem']);
  });

  it('notices a proxy that passes the first frame and holds the others back', async () => {
    const hub = await listenAsHub();
    const port = await listen((req, res) => {
      forward(req, hub, (answer) => {
        res.writeHead(answer.statusCode ?? 0, answer.headers);
        let passed = false;
        const held: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => {
          if (passed) return void held.push(chunk);
          passed = true;
          res.write(chunk);
        });
        answer.on('end', () => res.end(Buffer.concat(held)));
        res.on('close', () => answer.destroy());
      });
    });
    expect(checksOf(bad(await findingsAt(urlOf(port))))).toEqual(['heartbeat: problem']);
  });

  it('says that the stream breaks where whole answers pass', async () => {
    const hub = await listenAsHub();
    const port = await listen((req, res) => {
      if (!req.url?.includes('wait=') && req.method === 'GET') return void req.socket.destroy();
      forward(req, hub, (answer) => {
        res.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(res);
      });
    });
    const [broken, ...others] = bad(await findingsAt(urlOf(port)));
    expect(others).toEqual([]);
    expect(broken).toMatchObject({ check: 'stream', verdict: 'problem' });
    expect(broken?.title).toMatch(/^The stream failed: /);
  });

  it('says that clocks differ', async () => {
    const hub = await listenAsHub();
    const port = await listen((req, res) => {
      forward(req, hub, (answer) => {
        const date = new Date(Date.now() + 300_000).toUTCString();
        res.writeHead(answer.statusCode ?? 0, { ...answer.headers, date });
        answer.pipe(res);
        res.on('close', () => answer.destroy());
      });
    });
    const [clock, ...others] = bad(await findingsAt(urlOf(port)));
    expect(others).toEqual([]);
    expect(clock?.title).toMatch(/^The clock there is (29\d|30\d) s ahead of the one here\.$/);
  });

  it('follows redirects, and says where the stream is', async () => {
    const hub = await listenAsHub();
    const port = await listen((req, res) =>
      res.writeHead(307, { location: `http://127.0.0.1:${hub}${req.url}` }).end(),
    );
    const findings = await findingsAt(urlOf(port));
    expect(bad(findings)).toEqual([]);
    expect(findings[0]).toMatchObject({
      check: 'redirect',
      verdict: 'note',
      title: expect.stringContaining(urlOf(hub)),
    });
  });

  it('sends the credentials it was given to no other server, and shows none', async () => {
    const got: IncomingMessage['headers'][] = [];
    const elsewhere = await listen((req, res) => {
      got.push(req.headers);
      res.writeHead(401).end();
    });
    const port = await listen((_req, res) =>
      res.writeHead(302, { location: `http://127.0.0.1:${elsewhere}/?access_token=hush` }).end(),
    );
    const { url, findings } = await diagnose({
      url: new URL(`http://127.0.0.1:${port}/?topic=a&access_token=hush`),
      headers: { authorization: 'Bearer hush', cookie: 'session=hush' },
      patience: PATIENCE,
      watch: undefined,
      origin: undefined,
      signal: new AbortController().signal,
    });
    expect(got).toHaveLength(1);
    expect(JSON.stringify([got, url, findings])).not.toContain('hush');
    expect(findings[0]?.advice).toContain('another server');
  });

  it('gives up on a loop of redirects', async () => {
    const port = await listen((_req, res) => res.writeHead(302, { location: '/' }).end());
    expect(bad(await findingsAt(urlOf(port))).at(-1)?.title).toBe('More than 5 redirects in a row.');
  });

  it.each([
    { status: 401, advice: /--token/ },
    { status: 404, advice: /look at the URL/ },
    { status: 503, advice: /later/ },
    { status: 200, advice: /text\/event-stream/ },
  ])('says what to do about a page with status $status', async ({ status, advice }) => {
    const port = await listen((_req, res) =>
      res.writeHead(status, { 'content-type': 'text/html' }).end('<p>Hello</p>'),
    );
    const findings = await findingsAt(urlOf(port));
    expect(checksOf(findings)).toEqual(['answer: problem']);
    expect(findings[0]?.advice).toMatch(advice);
  });

  it('says that nobody answers', async () => {
    const port = await listen(() => {});
    expect(checksOf(await findingsAt(urlOf(port)))).toEqual(['answer: problem']);
  });

  it('watches the stream of any other server', async () => {
    const port = await listen((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      const timer = setInterval(() => res.write('data: tick\n\n'), 50);
      res.on('close', () => clearInterval(timer));
    });
    const findings = await findingsAt(urlOf(port), { watch: 1000 });
    expect(bad(findings)).toEqual([]);
    expect(findings.find(({ check }) => check === 'answer')?.title).toContain('not of a Tidings hub');
  });
});

describe.concurrent('tidings doctor', () => {
  async function run(...args: readonly string[]) {
    const said = { out: '', err: '' };
    const status = await runCli(['doctor', ...args], {
      out: (text) => void (said.out += text),
      err: (text) => void (said.err += text),
      drained: () => Promise.resolve(),
    });
    return { status, ...said };
  }

  it('exits with 0 when events get through, and prints why it thinks so', async () => {
    const hub = await listenAsHub({
      authorize: (req) => ({
        subject: req.headers['authorization'] === 'Bearer good' ? 'ann' : '',
        topics: ['a'],
      }),
    });
    const { status, out } = await run(urlOf(hub), '--token', 'good', '--for', '8');
    expect(out).toMatch(/✓ A Tidings hub answers\.[^]*Events get through\.\n$/);
    expect(status).toBe(0);
  });

  it('exits with 1 on a problem, and prints it as JSON if asked', async () => {
    const port = await listen((_req, res) => res.writeHead(404).end());
    const { status, out } = await run(urlOf(port), '--json');
    expect(status).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ findings: [{ check: 'answer', verdict: 'problem' }] });
  });

  it.each([
    { args: [], says: 'Expected the URL' },
    { args: ['nonsense'], says: 'begins with http:// or https://' },
    { args: ['http://a/', 'http://b/'], says: 'quote it' },
    { args: ['http://ann:secret@a/'], says: '--token or --header' },
    { args: ['http://a/', '--for', 'soon'], says: 'Expected --for to be a number' },
    { args: ['http://a/', '--header', 'nonsense'], says: 'Expected --header' },
    { args: ['http://a/', '--origin', 'app.example'], says: 'Expected --origin' },
    { args: ['http://a/', '--nope'], says: '--nope' },
  ])('exits with 2 for $args', async ({ args, says }) => {
    const { status, err } = await run(...args);
    expect(err).toContain(says);
    expect(status).toBe(2);
  });
});

function forward(req: IncomingMessage, port: number, take: (answer: IncomingMessage) => void): void {
  const { host: _, connection: __, ...headers } = req.headers;
  const onward = request({ port, host: '127.0.0.1', path: req.url, method: req.method, headers }, take);
  onward.on('error', () => {});
  req.pipe(onward);
}
