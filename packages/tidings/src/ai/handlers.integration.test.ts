import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import express4 from 'express4';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { handSource } from '../../test/ai-source.ts';
import { createHub } from '../../test/internals.ts';
import { DEADLINE } from '../../../../scripts/deadline.ts';
import { forbidden } from '../protocol/errors.ts';
import { type Runs, type RunsOptions, createRuns, rawChunks, responseEvents, uiMessages } from './index.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: DEADLINE, interval: 10 });

function start(options: RunsOptions = {}): Runs {
  const hub = createHub();
  const runs = createRuns(hub, { authorize: () => true, onError: () => {}, ...options });
  closers.push(async () => {
    await runs.close({ within: 0 });
    await hub.close({ within: 0 });
  });
  return runs;
}

async function serve(app: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])('in %s', (_name, make) => {
  async function app(runs: Runs, source = handSource()): Promise<{ url: string; source: typeof source }> {
    const server = make();
    server.post('/chat/:chat/runs/:id', (req, res, next) => {
      runs
        .start({ chat: req.params.chat, id: req.params.id }, () => source)
        .then((run) => run.pipe(req, res, uiMessages))
        .catch(next);
    });
    server.get('/chat/:chat/stream', runs.follow(uiMessages));
    server.get('/chat/:chat/raw', runs.follow(rawChunks));
    server.get('/chat/:chat/events', runs.follow(responseEvents));
    server.post('/chat/:chat/stop', runs.stop());
    return { url: await serve(server), source };
  }

  test('a POST streams the run, a second one and a GET follow it, and all get the same', async () => {
    const { url, source } = await app(start());
    const first = await fetch(`${url}/chat/c/runs/1`, { method: 'POST' });
    expect(first.headers.get('x-vercel-ai-ui-message-stream')).toBe('v1');
    source.push(
      { type: 'start' },
      { type: 'text-start', id: 't' },
      { type: 'text-delta', id: 't', delta: 'Hello' },
    );
    const second = await fetch(`${url}/chat/c/runs/1`, { method: 'POST' });
    const third = await fetch(`${url}/chat/c/stream`);
    source.push({ type: 'text-end', id: 't' }, { type: 'finish' });
    source.finish();
    const texts = await Promise.all([first.text(), second.text(), third.text()]);
    expect(new Set(texts).size).toBe(1);
    expect(texts[0]).toMatch(/"delta":"Hello".*\[DONE\]\n\n$/s);
    // Later it is all there again, and from a cursor the rest of it.
    expect(await (await fetch(`${url}/chat/c/stream`)).text()).toBe(texts[0]);
    const rest = await fetch(`${url}/chat/c/stream`, { headers: { 'last-event-id': '1/3' } });
    expect(await rest.text()).toMatch(/^id: 1\/4\ndata: {"type":"text-end"/);
    const after = await fetch(`${url}/chat/c/events?starting_after=2`);
    expect(await after.text()).toMatch(/^id: 1\/4\nevent: text-end\n.*"sequence_number":3/);
  });

  test('there is nothing to follow: 204; nor after the end, for a client that has it', async () => {
    const onEnd = vi.fn();
    const runs = start({ onEnd });
    const { url, source } = await app(runs);
    expect((await fetch(`${url}/chat/c/stream`)).status).toBe(204);
    source.push('a');
    source.finish();
    await (await fetch(`${url}/chat/c/runs/1`, { method: 'POST' })).text();
    expect((await fetch(`${url}/chat/c/raw`, { headers: { 'last-event-id': '1/end' } })).status).toBe(204);
    const id = (await runs.find('c'))?.messageId;
    expect((await fetch(`${url}/chat/c/stream?last=${id}`)).status).toBe(204);
    await until(async () => expect((await fetch(`${url}/chat/c/stream`)).status).toBe(204));
    expect(onEnd).toHaveBeenCalledTimes(1);
    expect((await fetch(`${url}/chat/c/stream?last=user-message`)).status).toBe(200);
  });

  test('stop ends the producer, and a client that leaves does not', async () => {
    const { url, source } = await app(start());
    const leaving = new AbortController();
    const response = await fetch(`${url}/chat/c/runs/1`, { method: 'POST', signal: leaving.signal });
    source.push('a');
    leaving.abort();
    await response.text().catch(() => {});
    const raw = await fetch(`${url}/chat/c/raw`);
    source.push({ b: 1 });
    expect(source.isLeft).toBe(false);
    expect((await fetch(`${url}/chat/c/stop`, { method: 'POST' })).status).toBe(204);
    expect(source.isLeft).toBe(true);
    expect(await raw.text()).toMatch(/event: end\ndata: {"status":"stopped"}\n\n$/);
  });

  test('only who may see the chat follows or stops', async () => {
    let answer: unknown = undefined;
    const runs = start({
      authorize: (() => {
        if (answer instanceof Error) throw answer;
        return answer;
      }) as never,
    });
    const { url, source } = await app(runs);
    await fetch(`${url}/chat/c/runs/1`, { method: 'POST' });
    for (const each of [undefined, false, 'yes', forbidden('No.')]) {
      answer = each;
      expect((await fetch(`${url}/chat/c/stream`)).status).toBe(403);
      expect((await fetch(`${url}/chat/c/stop`, { method: 'POST' })).status).toBe(403);
    }
    expect(source.isLeft).toBe(false);
    answer = new Error('database down');
    expect((await fetch(`${url}/chat/c/stream`)).status).toBe(500);
  });

  test('a slow client holds nothing but its place', async () => {
    const { url, source } = await app(start({ mergeWindow: 0 }));
    const response = await fetch(`${url}/chat/c/runs/1`, { method: 'POST' });
    const chunk = 'x'.repeat(10_000);
    for (let i = 0; i < 300; i += 1) source.push({ i, chunk });
    source.finish();
    await until(async () => {
      const answer = await fetch(`${url}/chat/c/raw`, { headers: { 'last-event-id': '1/299' } });
      expect(await answer.text()).toMatch(/"i":299/);
    });
    const text = await response.text();
    expect([...text.matchAll(/"i":(\d+)/g)].map(([, i]) => Number(i))).toEqual(
      Array.from({ length: 300 }, (_, i) => i),
    );
  });
});

describe('as fetch handlers', () => {
  test('a run is a Response, follow and stop take a Request', async () => {
    const runs = start();
    const source = handSource();
    const follow = runs.follow(rawChunks);
    const stop = runs.stop({ chat: (request: Request) => new URL(request.url).pathname.split('/')[1] ?? '' });
    const context = { params: Promise.resolve({ chat: 'c' }) };
    expect((await follow(new Request('http://x/'), context)).status).toBe(204);
    const run = await runs.start({ chat: 'c', id: '1' }, () => source);
    const response = run.response(new Request('http://x/'), uiMessages);
    source.push({ a: 1 });
    const other = await follow(new Request('http://x/'), context);
    expect((await stop(new Request('http://x/c', { method: 'POST' }))).status).toBe(204);
    expect(await other.text()).toMatch(/{"a":1}.*{"status":"stopped"}/s);
    expect(await response.text()).toMatch(/"abort".*\[DONE\]/s);
    await expect(runs.follow(rawChunks)(new Request('http://x/'))).rejects.toThrow(/no chat/);
  });

  test('a client that leaves, or asks after it left, holds nothing', async () => {
    const hub = createHub();
    const runs = createRuns(hub, { onError: () => {} });
    closers.push(() => runs.close({ within: 0 }));
    const run = await runs.start({ chat: 'c', id: '1' }, () => handSource());
    const before = hub.stats().inProcess;
    const leaving = new AbortController();
    const response = run.response(new Request('http://x/', { signal: leaving.signal }), rawChunks);
    const reading = response.text().catch(() => {});
    await until(() => expect(hub.stats().inProcess).toBe(before + 1));
    leaving.abort();
    await until(() => expect(hub.stats().inProcess).toBe(before));
    await reading;
    const cancelled = run.response(new Request('http://x/'), rawChunks);
    const reader = cancelled.body?.getReader();
    void reader?.read();
    await until(() => expect(hub.stats().inProcess).toBe(before + 1));
    await reader?.cancel();
    await until(() => expect(hub.stats().inProcess).toBe(before));
  });
});
