import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import express from 'express';
import type { ErrorRequestHandler, Response } from 'express';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../testing/server.ts';
import { until } from '../testing/until.ts';
import { pages } from './pages.ts';

test('a browser that leaves while a page loads causes no error', async () => {
  const { folder, remove } = await temporaryFolder();
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>Home</title>');
  const errors: unknown[] = [];
  const collect: ErrorRequestHandler = (error, _request, _response, next) => {
    errors.push(error);
    next(error);
  };
  let sent = false;
  const app = express()
    .use(async (_request, response, next) => {
      // The client is gone from here on.
      await once(response, 'close');
      const callback = whenSent(response);
      next();
      await callback;
      sent = true;
    })
    .use(pages(folder), collect);
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const requested = once(server, 'request');
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await requested;
  socket.destroy();
  await until(() => sent);
  expect(errors).toEqual([]);
  server.close();
  await remove();
});

/** Resolves after the callback of the response's `sendFile`. */
function whenSent(response: Response): Promise<void> {
  const sendFile = response.sendFile.bind(response) as (...parts: [string, object, Callback]) => void;
  return new Promise((resolve) => {
    response.sendFile = ((path: string, options: object, callback: Callback) =>
      sendFile(path, options, (error) => {
        callback(error);
        resolve();
      })) as Response['sendFile'];
  });
}

type Callback = (error?: Error) => void;
