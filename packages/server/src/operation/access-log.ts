import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { ConnectionInfo, Matcher } from 'tidings';
import type { Settings } from '../config/setting.ts';
import { timeToAnswer } from '../server/early-answers.ts';
import type { Observer } from '../server/part.ts';
import { accessLevel, accessSample } from './settings.ts';
import { parseTraceparent } from './trace-context.ts';

/** How many topics of a stream or of a publish a line lists. */
const TOPICS_LISTED = 10;

export interface AccessLog extends Observer {
  reload(settings: Settings): void;
}

/**
 * One line for each answer, and for a stream two: when it begins and when it is over, with the reason, the time and what was
 * delivered. A line has no query, header, token or data: only fields that are known to hold no secret get in.
 */
export function createAccessLog(
  publicApp: FastifyInstance,
  { logger, settings, random = Math.random }: { logger: Logger; settings: Settings; random?: () => number },
): AccessLog {
  let level = settings.get(accessLevel);
  let sample = settings.get(accessSample);
  /** Requests that have a line already, or whose publish one is to have. */
  const streams = new WeakSet<FastifyRequest>();
  const publications = new WeakMap<FastifyRequest, object>();

  publicApp.addHook('onResponse', (request, reply, done) => {
    if (!streams.has(request)) logAnswer(request, reply);
    done();
  });

  function logAnswer(request: FastifyRequest, reply: FastifyReply): void {
    const failed = reply.statusCode >= 400;
    if (level === 'off' || (!failed && (level === 'failures' || random() >= sample))) return;
    const [path = ''] = request.url.split('?', 1);
    const fields = {
      ...commonOf(request),
      method: request.method,
      path: path.slice(0, 200),
      status: reply.statusCode,
      milliseconds: Math.round(timeToAnswer(reply)),
      ...publications.get(request),
    };
    if (reply.statusCode >= 500) logger.error(fields, 'answered');
    else logger.info(fields, 'answered');
  }

  return {
    connected(connection, request) {
      streams.add(request);
      if (level !== 'all' || random() >= sample) return undefined;
      logger.info({ ...commonOf(request), ...streamOf(connection) }, 'a stream begins');
      // All that is kept until the stream is over.
      const { id, subject } = connection;
      return ({ reason, duration, delivered, bytes }) => {
        const milliseconds = Math.round(duration);
        logger.info({ connection: id, subject, reason, milliseconds, delivered, bytes }, 'a stream is over');
      };
    },
    published(events, published, { grant, request }) {
      if (level !== 'all') return;
      const topics = [...new Set(events.flatMap((event) => event.topics))];
      publications.set(request, {
        credential: grant.credential,
        events: events.length,
        topics: topics.slice(0, TOPICS_LISTED),
        cursor: published.at(-1)?.cursor,
      });
    },
    reload(next) {
      level = next.get(accessLevel);
      sample = next.get(accessSample);
    },
  };
}

function commonOf(request: FastifyRequest): { remote: string; traceId?: string; parentId?: string } {
  const trace = parseTraceparent(request.headers['traceparent']);
  return {
    remote: request.ip,
    ...(trace !== undefined && { traceId: trace.traceId, parentId: trace.spanId }),
  };
}

function streamOf({ id, subject, protocol, topics }: ConnectionInfo): {
  connection: string;
  subject: string | undefined;
  protocol: string;
  topics: string[];
  topicCount: number;
} {
  return {
    connection: id,
    subject,
    protocol,
    topics: topics.slice(0, TOPICS_LISTED).map(textOf),
    topicCount: topics.length,
  };
}

function textOf(matcher: Matcher): string {
  return typeof matcher === 'string' ? matcher : matcher.pattern;
}
