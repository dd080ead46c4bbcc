import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendAnswer } from 'tidings/node';

/** How long early answers took. */
const answeredAfter = new WeakMap<FastifyReply, number>();

/** Milliseconds until the request was answered, without the rest of its body, which is waited for after it. */
export function timeToAnswer(reply: FastifyReply): number {
  return answeredAfter.get(reply) ?? reply.elapsedTime;
}

/**
 * Lets an answer reach a peer whose request is still arriving: Fastify and Node close the socket behind most of them at once,
 * and the reset takes the answer from a peer that is still sending.
 */
export function answerEarly(app: FastifyInstance): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    const isText = payload === null || payload === undefined || typeof payload === 'string';
    if (request.raw.httpVersionMajor === 1 && isText && isArriving(request)) {
      reply.hijack();
      answeredAfter.set(reply, reply.elapsedTime);
      sendAnswer(request.raw, reply.raw, {
        status: reply.statusCode,
        headers: headersOf(reply),
        body: payload ?? '',
      });
      return;
    }
    // Fastify closes the socket behind every body that it refuses. HTTP/2 has no such header.
    if (isFastifys(reply) && !wantsClose(request)) reply.removeHeader('connection');
    done();
  });
}

/** Whether Fastify set it for this answer; that of a server which is closing is on the raw response. */
function isFastifys(reply: FastifyReply): boolean {
  return reply.hasHeader('connection') && !reply.raw.hasHeader('connection');
}

/** Node no longer says so itself once the header was removed. */
function wantsClose({ raw, headers }: FastifyRequest): boolean {
  if (raw.httpVersionMajor > 1) return false;
  return raw.httpVersion === '1.0' || /\bclose\b/i.test(headers.connection ?? '');
}

/** A request without a body isn't complete either while Node hands it over. */
function isArriving({ raw, headers }: FastifyRequest): boolean {
  if (raw.complete) return false;
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function headersOf(reply: FastifyReply): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined && name !== 'connection') headers[name] = String(value);
  return headers;
}
