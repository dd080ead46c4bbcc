import http from 'node:http';
import http2 from 'node:http2';
import type { Server } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import express from 'express';
import express4 from 'express4';
import fastify from 'fastify';
import { Hono } from 'hono';
import Router from '@koa/router';
import Koa from 'koa';
import type { Hub } from 'tidings';
import { sse as expressSse } from 'tidings/express';
import { sse as fastifySse } from 'tidings/fastify';
import { sse as fetchSse } from 'tidings/fetch';
import { sse as koaSse } from 'tidings/koa';
import { sse as nodeSse } from 'tidings/node';
import type { HandlerOptions } from 'tidings/transport';

/** The server's answer on every transport. `credentials`: the request's `Authorization`. */
export interface AppOptions extends Pick<HandlerOptions<unknown>, 'cors' | 'greeting'> {
  readonly authorize: (
    credentials: string | undefined,
  ) => ReturnType<NonNullable<HandlerOptions<unknown>['authorize']>>;
}

type Start = (hub: Hub, options: AppOptions) => Server | Promise<Server>;

/** Each serves `/events`. What `authorize` throws is answered by the framework, as it does without an error handler of the app. */
export const transports: Readonly<Record<string, Start>> = {
  'node:http': (hub, options) => http.createServer(onNode(hub, options)),
  hijack: (hub, options) => http.createServer(onNode(hub, options, true)),
  http2: (hub, options) => http2.createServer(onNode(hub, options)),
  express5: (hub, { authorize, ...options }) => {
    const app = express();
    app.use(
      '/events',
      expressSse(hub, { ...options, authorize: (req) => authorize(req.get('authorization')) }),
    );
    app.use(
      ((_error, _req, res, _next) =>
        void res.status(500).send('failed')) satisfies express.ErrorRequestHandler,
    );
    return http.createServer(app);
  },
  express4: (hub, { authorize, ...options }) => {
    const app = express4();
    const handle = expressSse(hub, { ...options, authorize: (req) => authorize(req.get('authorization')) });
    // The types that are installed are those of Express 5.
    app.use('/events', handle as unknown as express4.RequestHandler);
    app.use(
      ((_error, _req, res, _next) =>
        void res.status(500).send('failed')) satisfies express4.ErrorRequestHandler,
    );
    return http.createServer(app);
  },
  fastify: async (hub, { authorize, ...options }) => {
    const app = fastify();
    const plugin = fastifySse(hub, {
      ...options,
      authorize: ({ headers }) => authorize(headers.authorization),
    });
    await app.register(plugin, { prefix: '/events' });
    await app.ready();
    return app.server;
  },
  koa: (hub, { authorize, ...options }) => {
    const app = new Koa();
    // Koa writes what fails to the console; the failures here are made on purpose.
    app.silent = true;
    const router = new Router();
    router.all(
      '/events',
      koaSse(hub, { ...options, authorize: (ctx) => authorize(ctx.get('authorization') || undefined) }),
    );
    app.use(router.routes());
    const callback = app.callback();
    return http.createServer((req, res) => void callback(req, res));
  },
  hono: (hub, { authorize, ...options }) => {
    const app = new Hono();
    const handle = fetchSse(hub, {
      ...options,
      authorize: ({ headers }) => authorize(headers.get('authorization') ?? undefined),
    });
    app.all('/events', (context) => handle(context.req.raw, context.req));
    app.onError((_error, context) => context.text('failed', 500));
    return createAdaptorServer({ fetch: app.fetch });
  },
};

function onNode(hub: Hub, { authorize, ...options }: AppOptions, hijack = false) {
  const handle = nodeSse(hub, {
    ...options,
    hijack,
    authorize: (req) => authorize(req.headers.authorization),
    onError: () => {},
  });
  return (
    req: http.IncomingMessage | http2.Http2ServerRequest,
    res: http.ServerResponse | http2.Http2ServerResponse,
  ): void => handle(req, res);
}
