import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { TidingsError } from 'tidings';
import { createError } from 'tidings/transport';
import type { Settings } from '../config/setting.ts';
import { type Listener, plainServer } from './listener.ts';
import { answerEarly } from './early-answers.ts';
import { answerProblems, nothingHere, rawProblem, sendProblem } from './problems.ts';
import * as rows from './settings.ts';

/** The server that everybody reaches. */
export function createPublicApp(settings: Settings, logger: Logger, listener: Listener): FastifyInstance {
  const trusted = settings.get(rows.trustedProxies);
  const app = createApp(logger, trusted.length === 0 ? false : [...trusted], listener.serverFactory);
  app.addHook('preClose', (done) => {
    listener.closeSessions();
    done();
  });
  return app;
}

/** The server for operators. */
export function createInternalApp(settings: Settings, logger: Logger): FastifyInstance {
  const serverFactory = (handler: RequestListener) => plainServer(handler, settings.get(rows.requestTimeout));
  return createApp(logger, false, serverFactory);
}

function createApp(
  logger: Logger,
  trustProxy: boolean | string[],
  serverFactory: Listener['serverFactory'],
): FastifyInstance {
  const app = Fastify({
    serverFactory,
    logger: false,
    trustProxy,
    // A topic is no part of a path; nothing here has long parameters.
    routerOptions: { maxParamLength: 256 },
    // Fastify would otherwise close keep-alive connections only as they fall idle.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    clientErrorHandler: answerBrokenRequest,
    // A path that can't be decoded.
    frameworkErrors: (_error, _request, reply) => void sendProblem(reply, nothingHere()),
  });
  answerProblems(app, logger);
  answerEarly(app);
  return app;
}

/** Milliseconds that a peer whose request is broken has to read why, and to hang up. */
const LINGER = 1000;

function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return socket.destroy() as never;
  socket.end(rawProblem(brokenBy(error.code)));
  // Node no longer looks after it, and the peer may never hang up.
  setTimeout(() => socket.destroy(), LINGER).unref();
}

function brokenBy(code: string | undefined): TidingsError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return createError('request/headers-too-large', 'The headers are too large.');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return createError('request/timeout', 'The request did not arrive in time.');
  return createError('request/invalid-body', 'This is no HTTP request.');
}
