import type { FastifyReply, FastifyRequest } from 'fastify';
import { createError } from 'tidings/transport';

/**
 * Nothing unpacks a body: a few bytes could become very many.
 *
 * @throws {TidingsError} `request/unsupported-media-type` for a body that is compressed, as
 * https://www.rfc-editor.org/rfc/rfc9110#section-8.4 has it.
 */
export function assertPlain({ headers }: FastifyRequest, reply: FastifyReply): void {
  const coding = headers['content-encoding'] ?? '';
  if (coding === '' || coding.toLowerCase() === 'identity') return;
  reply.header('accept-encoding', 'identity');
  throw createError(
    'request/unsupported-media-type',
    'Expected a body without `Content-Encoding`: this server doesn’t unpack any.',
  );
}
