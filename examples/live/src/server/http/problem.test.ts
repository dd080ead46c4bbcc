import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { expect, test } from 'vitest';
import { QueueFullError } from '../lib/queue.ts';
import { createLogger } from '../ops/logger.ts';
import { answerErrors } from './problem.ts';

test('work beyond a full queue is answered 503 with Retry-After', async () => {
  const app = express();
  app.get('/', () => {
    throw new QueueFullError('full');
  });
  app.use(answerErrors(createLogger('silent')));
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}/`);
  expect(response.status).toBe(503);
  expect(response.headers.get('Retry-After')).toBe('5');
  expect(await response.json()).toMatchObject({ code: 'server/busy' });
  await new Promise((resolve) => server.close(resolve));
});
