import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ask } from '../../../../tidings/test/http/client.ts';
import { until, untilAsync } from '../../../../tidings/test/http/deadline.ts';
import { type InProcess, settingsOf, startInProcess } from '../../../test/in-process.ts';

const SECRET = 'a-secret-of-a-webhook-for-tests';
const NEXT_SECRET = 'the-next-secret-of-that-webhook';

interface Received {
  readonly id: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  readonly type: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- Tests say what they expect in it.
  readonly data: any;
}

/** A receiver that does as a test wants, and remembers what it took. */
class Receiver {
  readonly taken: Received[] = [];
  attempts = 0;
  answer: (response: http.ServerResponse) => void = (response) => void response.writeHead(204).end();
  readonly #server = http.createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += String(chunk)));
    request.on('end', () => {
      this.attempts += 1;
      response.on('finish', () => {
        if (response.statusCode >= 300) return;
        const id = String(request.headers['webhook-id']);
        // An answer that came too late for the sender: the same event comes twice.
        if (this.taken.some((each) => each.id === id)) return;
        const { type, data } = JSON.parse(text);
        this.taken.push({ id, headers: request.headers, text, type, data });
      });
      this.answer(response);
    });
  });

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hush/hook?key=hush`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  of(connection: string): Received[] {
    return this.taken.filter(({ data }) => data.connection === connection);
  }
}

async function connect(server: InProcess, topic: string) {
  const reply = await ask(`${server.publicUrl}/v1/events?topic=${topic}`);
  const { connection } = JSON.parse((await reply.frames.nextEvent()).data) as { connection: string };
  return { ...reply, connection };
}

function signatureOf({ id, headers, text }: Received, secret: string): string {
  const signed = `${id}.${String(headers['webhook-timestamp'])}.${text}`;
  return `v1,${createHmac('sha256', secret).update(signed).digest('base64')}`;
}

const receiver = new Receiver();
const folder = mkdtempSync(join(tmpdir(), 'tidings-webhooks-'));
const secretFile = join(folder, 'secrets');
let url: string;
beforeAll(async () => {
  url = await receiver.start();
});
afterAll(() => {
  receiver.stop();
  rmSync(folder, { recursive: true, force: true });
});

function withHook(hook: object = {}): Record<string, unknown> {
  return {
    presence: [{ pattern: 'room/:id', interval: '0', grace: '0', members: 5 }],
    webhooks: [
      {
        name: 'app',
        url,
        events: ['connect', 'disconnect', 'presence', 'topic-occupied', 'topic-empty'],
        secrets: [SECRET],
        // A busy machine may take its time for an answer.
        timeout: '4s',
        ...hook,
      },
    ],
  };
}

async function start(given: Record<string, unknown>): Promise<InProcess> {
  const server = await startInProcess(given);
  onTestFinished(() => server.close());
  await untilAsync(
    'the hook has its lease',
    async () => (await server.admin('/webhooks')).body.webhooks[0].active === true,
  );
  return server;
}

describe('webhooks', () => {
  test('tell of connections and of presence, in order and signed', async () => {
    const server = await start(withHook());
    const { connection, cut } = await connect(server, 'room/1');
    await until('occupied', () => receiver.taken.some(({ type }) => type === 'topic-occupied'));
    cut();
    await until('disconnect', () => receiver.of(connection).length === 2);
    await until('empty', () => receiver.taken.some(({ type }) => type === 'topic-empty'));
    const [begin, end] = receiver.of(connection);
    expect(begin).toMatchObject({ type: 'connect', data: { topics: ['room/1'], remote: '127.0.0.1' } });
    expect(end).toMatchObject({
      type: 'disconnect',
      data: { reason: 'left', delivered: expect.any(Number) },
    });
    expect(receiver.taken.find(({ type }) => type === 'topic-occupied')?.data).toMatchObject({
      topic: 'room/1',
      count: 1,
    });
    for (const each of receiver.taken)
      expect(each.headers['webhook-signature']).toBe(signatureOf(each, SECRET));
  });

  test('come again until a receiver takes them that fails, answers garbage, hangs or is away, and harm nobody', async () => {
    const server = await start(withHook());
    const ways: ((response: http.ServerResponse) => void)[] = [
      (response) => void response.writeHead(500).end('no'),
      (response) => void response.socket?.end('not HTTP at all\r\n\r\n'),
      // Hangs, until the request times out.
      () => {},
    ];
    const before = receiver.attempts;
    let isSeen = false;
    receiver.answer = (response) => {
      const way = ways[receiver.attempts - before - 1] ?? (isSeen ? undefined : ways[0]);
      if (way === undefined) response.writeHead(200).end('{"what": "a body"}');
      else way(response);
    };
    const { connection, cut, frames } = await connect(server, 'steady');
    await untilAsync('the failure shows', async () => {
      const [hook] = (await server.admin('/webhooks')).body.webhooks;
      return hook.failingSince !== undefined && ['answered 500', 'unreachable'].includes(hook.lastFailure);
    });
    isSeen = true;
    await server.publish({ topics: 'steady', data: 'meanwhile' });
    expect((await frames.nextEvent()).data).toBe('"meanwhile"');
    cut();
    await until('both are taken', () => receiver.of(connection).length === 2);
    expect(receiver.of(connection).map(({ type }) => type)).toEqual(['connect', 'disconnect']);
    expect(receiver.attempts - before).toBeGreaterThanOrEqual(ways.length + 2);
    const works = /tidings_webhook_requests_total\{hook="app",outcome="taken",status="2xx"\} [2-9]/;
    let metrics = '';
    // An answer serves all who ask within a second.
    await untilAsync('both are counted', async () => {
      metrics = await (await fetch(`${server.internalUrl}/metrics`)).text();
      return works.test(metrics);
    });
    for (const status of ['500', 'unreachable', 'timeout'])
      expect(metrics).toMatch(
        new RegExp(
          `tidings_webhook_requests_total\\{hook="app",outcome="failed",status="${status}"\\} [1-9]`,
        ),
      );
    const failures = server.lines.filter(({ hook, level }) => hook === 'app' && level === 40);
    expect(failures.slice(0, 3)).toMatchObject(
      [500, 'unreachable', 'timeout'].map((status, i) => ({
        status,
        attempt: i + 1,
        isRetried: true,
        url: `${new URL(url).origin}/…`,
        msg: 'a webhook failed; it is tried again',
      })),
    );
    expect(server.lines).toContainEqual(
      expect.objectContaining({ hook: 'app', attempts: failures.length + 1, msg: 'a webhook works again' }),
    );
    expect(metrics).toMatch(/tidings_webhook_failing_seconds\{hook="app"\} 0/);
    expect(JSON.stringify([server.lines, (await server.admin('/webhooks')).body])).not.toMatch(
      /hush|a-secret/,
    );
    receiver.answer = (response) => void response.writeHead(204).end();
  });

  test('are given up after as many attempts as the hook has, which the log says with no more of the URL than its origin', async () => {
    receiver.answer = (response) => void response.writeHead(410).end();
    const server = await start(withHook({ name: 'once', events: ['connect'], attempts: 1 }));
    await connect(server, 'given-up');
    await until('it is given up', () => server.lines.some(({ msg }) => msg.startsWith('something failed')));
    receiver.answer = (response) => void response.writeHead(204).end();
    const { connection } = await connect(server, 'given-up');
    await until('the next one is taken', () => receiver.of(connection).length === 1);
    expect(server.lines).toContainEqual(
      expect.objectContaining({ hook: 'once', status: 410, attempt: 1, isRetried: false }),
    );
    expect(JSON.stringify(server.lines)).toContain('consumer/skipped');
    expect(JSON.stringify(server.lines)).not.toMatch(/hush|a-secret/);
  });

  test('that a receiver was not there for come after a restart', async () => {
    const log = { 'log.url': `lmdb:${join(folder, 'log')}` };
    receiver.answer = (response) => void response.writeHead(503).end();
    const first = await startInProcess({ ...withHook(), ...log });
    await untilAsync(
      'the lease',
      async () => (await first.admin('/webhooks')).body.webhooks[0].active === true,
    );
    const { connection } = await connect(first, 'room/2');
    await first.close();
    expect(receiver.of(connection)).toEqual([]);
    receiver.answer = (response) => void response.writeHead(204).end();
    await start({ ...withHook(), ...log });
    await until('both are taken', () => receiver.of(connection).length === 2);
    expect(receiver.of(connection).map(({ type, data }) => [type, data.reason])).toEqual([
      ['connect', undefined],
      ['disconnect', 'drain'],
    ]);
  });

  test('are signed with the old and the new secret while it is replaced', async () => {
    writeFileSync(secretFile, `${SECRET}\n`);
    const given = withHook({ name: 'rotating', secrets: undefined, 'secret-file': secretFile });
    const server = await start(given);
    writeFileSync(secretFile, `${NEXT_SECRET}\n${SECRET}\n`);
    await server.reload(settingsOf(given));
    await untilAsync(
      'the lease',
      async () => (await server.admin('/webhooks')).body.webhooks[0].active === true,
    );
    const { connection } = await connect(server, 'rotate');
    await until('taken', () => receiver.of(connection).length === 1);
    const [message] = receiver.of(connection);
    if (message === undefined) throw new Error('none');
    expect(message.headers['webhook-signature']).toBe(
      `${signatureOf(message, NEXT_SECRET)} ${signatureOf(message, SECRET)}`,
    );
    writeFileSync(secretFile, 'short\n');
    await expect(server.reload(settingsOf(given))).rejects.toMatchObject({ code: 'config/invalid' });
    expect((await server.admin('/webhooks')).body.webhooks).toHaveLength(1);
  });

  test('are about the topics that their patterns match', async () => {
    const server = await start(withHook({ name: 'some', events: ['connect'], topics: ['mine/*'] }));
    const [other, mine] = [await connect(server, 'other'), await connect(server, 'mine/1')];
    await until('taken', () => receiver.of(mine.connection).length === 1);
    expect(receiver.of(other.connection)).toEqual([]);
  });

  test('can’t be made up by a publisher', async () => {
    const server = await start(withHook());
    const response = await server.publish({ topics: 'tidings/connections', data: {}, type: 'connect' });
    expect([response.status, await response.json()]).toMatchObject([400, { code: 'topic/reserved' }]);
  });

  test('that make no sense are refused at the start', async () => {
    for (const hook of [
      { name: 'no spaces' },
      { url: 'ftp://x' },
      { url: 'https://user:password@example.com/hook' },
      { events: ['connected'] },
      { events: [] },
      { secrets: ['short'] },
      { secrets: undefined },
      { secrets: undefined, 'secret-file': '/nowhere/secret' },
      { timeout: '1' },
      { atempts: 3 },
    ])
      await expect(startInProcess(withHook(hook)), JSON.stringify(hook)).rejects.toMatchObject({
        code: expect.stringMatching(/^config\//),
      });
    await expect(startInProcess({ ...withHook(), presence: [] })).rejects.toThrow('has no rule');
  });
});
