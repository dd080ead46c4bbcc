import type { FastifyInstance } from 'fastify';
import type { DisconnectTarget, EventInput, RevokeTarget } from 'tidings';
import {
  type Checks,
  type OptionError,
  aNumber,
  aString,
  assertOptions,
  createError,
} from 'tidings/transport';
import type { Grant } from '../../auth/authenticator.ts';
import type { ServerContext } from '../../server/part.ts';

interface Disconnect extends DisconnectTarget {
  /** Milliseconds until its client comes back. */
  readonly retry?: number;
}

interface Revoke extends RevokeTarget {
  /** Milliseconds; 0 takes it back. */
  readonly for?: number;
}

const DISCONNECT: Checks<Disconnect> = {
  subject: aString,
  connection: aString,
  topic: aString,
  retry: aNumber({ min: 0, finite: true }),
};
const REVOKE: Checks<Revoke> = {
  subject: aString,
  tokenId: aString,
  tokensIssuedBefore: aNumber({ min: 0, finite: true }),
  for: aNumber({ min: 0, finite: true }),
};

/** An operator may publish anywhere. */
const OPERATOR: Grant = {
  credential: 'admin',
  publish: [{ pattern: '*' }],
  subscribe: [],
  private: [],
};

/** An operator's orders: publish, disconnect, revoke. Each order holds on all servers of the log. */
export function registerOrders(app: FastifyInstance, { hub, publisher, logger }: ServerContext): void {
  app.post('/publish', async (request) => {
    const { body } = request;
    const events = Array.isArray(body) ? (body as readonly unknown[]) : [body];
    if (events.length === 0 || !events.every(isObject))
      throw createError('request/invalid-body', 'Expected an event as an object, or a list of events.');
    const published = await publisher.publish(events as unknown as readonly EventInput[], {
      grant: OPERATOR,
      request,
    });
    return { events: published };
  });

  app.post('/disconnect', async (request, reply) => {
    const { retry, ...target } = checked<Disconnect>(request.body, DISCONNECT);
    if (Object.keys(target).length === 0)
      throw createError(
        'request/invalid-body',
        'Say whom to disconnect: a `subject`, a `connection` or a `topic`.',
      );
    await hub.disconnect(target, { ...(retry !== undefined && { retry }) });
    logger.info({ target }, 'an operator has disconnected');
    return reply.code(202).send({ ordered: true });
  });

  app.post('/revoke', async (request, reply) => {
    const { for: stands, ...target } = checked<Revoke>(request.body, REVOKE);
    const given = Object.keys(target).length;
    if (given === 0 || (target.tokenId !== undefined && given > 1)) {
      const message = 'Say what to revoke: a `subject`, or `tokensIssuedBefore`, or both; or a `tokenId`.';
      throw createError('request/invalid-body', message);
    }
    await hub.revoke(target, { ...(stands !== undefined && { for: stands }) });
    logger.info({ target, for: stands }, 'an operator has revoked');
    return reply.code(202).send({ ordered: true });
  });
}

const invalidBody: OptionError = (option, message) =>
  createError('request/invalid-body', message, { details: { option } });

function checked<T extends object>(body: unknown, checks: Checks<T>): T {
  if (!isObject(body)) throw createError('request/invalid-body', 'Expected a JSON object.');
  assertOptions(body as T, checks, '', invalidBody);
  return body as T;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
