import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { afterEach, expect, test } from 'vitest';
import { endConnections, health } from './health.ts';

const lifecycle = { draining: false };
const server = createServer(express().use(endConnections(lifecycle)).get('/healthz', health(lifecycle)));
afterEach(() => server.close());

test('answers 200, and once the process is draining 503 with `Connection: close`', async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const before = await fetch(`http://127.0.0.1:${port}/healthz`);
  expect([before.status, await before.json()]).toEqual([200, { status: 'ok' }]);
  lifecycle.draining = true;
  const after = await fetch(`http://127.0.0.1:${port}/healthz`);
  expect([after.status, await after.json()]).toEqual([503, { status: 'draining' }]);
  expect(after.headers.get('Connection')).toBe('close');
});
