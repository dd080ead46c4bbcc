import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { createAdaptorServer } from '@hono/node-server';
import compression from 'compression';
import express from 'express';
import fastify from 'fastify';
import { createApp, fromNodeMiddleware, toNodeListener } from 'h3';
import { Hono, type MiddlewareHandler } from 'hono';
import express4 from 'express4';
import { bodyParser } from '@koa/bodyparser';
import Router from '@koa/router';
import Koa from 'koa';
import type { Hub } from '../../src/hub/hub.ts';
import { sse as expressSse } from '../../src/node/express.ts';
import { sse as fastifySse } from '../../src/node/fastify.ts';
import { sse as koaSse } from '../../src/node/koa.ts';
import { sse as fetchSse } from '../../src/fetch/index.ts';
import type { HandlerOptions } from '../../src/http/handler-options.ts';
import { type SocketOptions, sse as nodeSse } from '../../src/node/index.ts';
import { type Ask, ask, askHttp2 } from './client.ts';
import { type Running, certificate, listen } from './server.ts';

/** Options that don't look at the request, which lets all stacks share them. */
export type AnyOptions = Omit<HandlerOptions<unknown>, 'address'>;

/** A way to serve the hub. `/events` serves it. */
export interface Stack {
  readonly name: string;
  readonly protocol: 'HTTP/1.1' | 'HTTP/2.0' | 'fetch';
  readonly ask: Ask;
  readonly start: (hub: Hub, options?: AnyOptions, onError?: (error: unknown) => void) => Promise<Running>;
}

export const stacks: readonly Stack[] = [
  {
    name: 'node:http',
    protocol: 'HTTP/1.1',
    ask,
    start: (hub, options, onError) => listen(http.createServer(onNode(hub, options, onError))),
  },
  {
    name: 'node:http, socket hijacked',
    protocol: 'HTTP/1.1',
    ask,
    start: (hub, options, onError) =>
      listen(http.createServer(onNode(hub, { ...options, hijack: true }, onError))),
  },
  {
    name: 'node:https',
    protocol: 'HTTP/1.1',
    ask,
    start: async (hub, options, onError) =>
      listen(https.createServer(await certificate(), onNode(hub, options, onError)), 'https'),
  },
  { name: 'node:http2', protocol: 'HTTP/2.0', ask: askHttp2, start: startHttp2 },
  { name: 'node:http2, spoken to in HTTP/1.1', protocol: 'HTTP/1.1', ask, start: startHttp2 },
  { name: 'Express', protocol: 'HTTP/1.1', ask, start: (...args) => startExpress(...args) },
  {
    name: 'Express behind compression',
    protocol: 'HTTP/1.1',
    ask: (url, options = {}) =>
      ask(url, { ...options, headers: { 'accept-encoding': 'gzip, br', ...options.headers } }),
    start: (hub, options, onError) => startExpress(hub, options, onError, compression({ threshold: 0 })),
  },
  {
    name: 'Express behind body parsers',
    protocol: 'HTTP/1.1',
    ask,
    start: (hub, options, onError) =>
      startExpress(hub, options, onError, express.json(), express.urlencoded()),
  },
  {
    name: 'Express behind urlencoded alone',
    protocol: 'HTTP/1.1',
    ask,
    start: (hub, options, onError) => startExpress(hub, options, onError, express.urlencoded()),
  },
  { name: 'Express 4', protocol: 'HTTP/1.1', ask, start: (...args) => startExpress4(...args) },
  {
    name: 'Express 4 behind body parsers',
    protocol: 'HTTP/1.1',
    ask,
    start: (hub, options, onError) =>
      startExpress4(hub, options, onError, express4.json(), express4.urlencoded({ extended: false })),
  },
  {
    name: 'Express 4 behind urlencoded alone',
    protocol: 'HTTP/1.1',
    ask,
    start: (hub, options, onError) =>
      startExpress4(hub, options, onError, express4.urlencoded({ extended: false })),
  },
  { name: 'Koa', protocol: 'HTTP/1.1', ask, start: (...args) => startKoa(...args) },
  {
    name: 'Koa behind a body parser',
    protocol: 'HTTP/1.1',
    ask,
    start: (hub, options, onError) => startKoa(hub, options, onError, bodyParser()),
  },
  {
    name: 'h3',
    protocol: 'HTTP/1.1',
    ask,
    start: (hub, options, onError) => {
      const handle = onNode(hub, options, onError);
      const app = createApp().use(
        '/events',
        fromNodeMiddleware((req, res, _next) => handle(req, res)),
      );
      return listen(http.createServer(toNodeListener(app)));
    },
  },
  { name: 'Fastify', protocol: 'HTTP/1.1', ask, start: startFastify },
  { name: 'Hono', protocol: 'fetch', ask, start: (...args) => startHono(...args) },
  {
    name: 'Hono, after the body was read',
    protocol: 'fetch',
    ask,
    start: (hub, options, onError) =>
      startHono(hub, options, onError, async (context, next) => {
        if (context.req.method === 'POST') await context.req.json();
        await next();
      }),
  },
];

function onNode(hub: Hub, options: AnyOptions & SocketOptions = {}, onError?: (error: unknown) => void) {
  const handle = nodeSse(hub, onError === undefined ? options : { ...options, onError });
  return (
    req: http.IncomingMessage | http2.Http2ServerRequest,
    res: http.ServerResponse | http2.Http2ServerResponse,
  ) => handle(req, res);
}

async function startHttp2(
  hub: Hub,
  options?: AnyOptions,
  onError?: (error: unknown) => void,
): Promise<Running> {
  const server = http2.createSecureServer({ ...(await certificate()), allowHTTP1: true });
  server.on('request', onNode(hub, options, onError));
  return listen(server, 'https');
}

async function startExpress(
  hub: Hub,
  options: AnyOptions = {},
  onError: (error: unknown) => void = () => {},
  ...middleware: express.RequestHandler[]
): Promise<Running> {
  const app = express();
  for (const each of middleware) app.use(each);
  app.use('/events', expressSse(hub, options));
  app.use((error: unknown, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
    onError(error);
    res.status(500).send('The error handler of the app.');
  });
  return listen(http.createServer(app));
}

async function startExpress4(
  hub: Hub,
  options: AnyOptions = {},
  onError: (error: unknown) => void = () => {},
  ...middleware: express4.RequestHandler[]
): Promise<Running> {
  const app = express4();
  for (const each of middleware) app.use(each);
  // The installed types are those of Express 5; users of Express 4 have its own.
  app.use('/events', expressSse(hub, options) as unknown as express4.RequestHandler);
  app.use((error: unknown, _req: express4.Request, res: express4.Response, _next: express4.NextFunction) => {
    onError(error);
    res.status(500).send('The error handler of the app.');
  });
  return listen(http.createServer(app));
}

async function startKoa(
  hub: Hub,
  options?: AnyOptions,
  onError: (error: unknown) => void = () => {},
  ...middleware: Koa.Middleware[]
): Promise<Running> {
  const app = new Koa();
  const router = new Router();
  router.all('/events', koaSse(hub, options));
  for (const each of middleware) app.use(each);
  app.use(router.routes());
  app.on('error', onError);
  const callback = app.callback();
  return listen(http.createServer((req, res) => void callback(req, res)));
}

async function startFastify(
  hub: Hub,
  options?: AnyOptions,
  onError: (error: unknown) => void = () => {},
): Promise<Running> {
  const app = fastify();
  app.setErrorHandler((error, _request, reply) => {
    onError(error);
    return reply.code(500).send('The error handler of the app.');
  });
  await app.register(fastifySse(hub, options), { prefix: '/events' });
  await app.ready();
  return listen(app.server);
}

async function startHono(
  hub: Hub,
  options?: AnyOptions,
  onError: (error: unknown) => void = () => {},
  ...middleware: MiddlewareHandler[]
): Promise<Running> {
  const app = new Hono();
  const handle = fetchSse(hub, options);
  for (const each of middleware) app.use(each);
  app.all('/events', (context) => handle(context.req.raw, context.req));
  app.onError((error, context) => {
    onError(error);
    return context.text('The error handler of the app.', 500);
  });
  return listen(createAdaptorServer({ fetch: app.fetch }));
}
