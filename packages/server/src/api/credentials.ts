import type { FastifyRequest } from 'fastify';
import type { CredentialRequest } from '../auth/authenticator.ts';

/** The parts of a request that may carry a credential. */
export function credentialsOf(request: FastifyRequest): CredentialRequest {
  const at = request.url.indexOf('?');
  return {
    method: request.method,
    header(name) {
      // HTTP/2 has another name for it.
      const value = request.headers[name] ?? (name === 'host' ? request.headers[':authority'] : undefined);
      return Array.isArray(value) ? value.join(', ') : value;
    },
    query: new URLSearchParams(at === -1 ? '' : request.url.slice(at + 1)),
    remote: request.ip,
  };
}
