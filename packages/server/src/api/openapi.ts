import type { ServerContext } from '../server/part.ts';
import { VERSION } from '../version.ts';
import { PROBLEM, SCHEMAS } from './schemas.ts';

/** `GET /openapi.json`: the description of this API, OpenAPI 3.1. */
export function registerOpenApi({ publicApp }: ServerContext): void {
  const body = JSON.stringify(describeApi());
  publicApp.get('/openapi.json', (_request, reply) =>
    reply
      .header('content-type', 'application/json; charset=utf-8')
      .header('cache-control', 'public, max-age=300')
      // A description has no secrets, and tools in browsers read it.
      .header('access-control-allow-origin', '*')
      .send(body),
  );
}

/** Statuses and what they mean, for every operation that can have them. */
const FAILURES: Readonly<Record<number, string>> = {
  400: 'The request makes no sense: `code` and `detail` say what is wrong with it.',
  401: 'Credentials are missing, or don’t count (any more).',
  403: 'These credentials may not do that, or a page of this origin may not.',
  404: 'There is no such connection: it has ended, or is on another server.',
  405: 'The method isn’t in `Allow`.',
  406: '`Accept` excludes `text/event-stream`.',
  408: 'The request did not arrive in time.',
  409: 'A condition doesn’t hold. `seq` is the seq of the key’s value, 0 if it has none. Nothing was published.',
  413: 'The body, or an event, is too large, or there are too many events.',
  415: 'The body has another media type.',
  422: 'The same credentials used this `Idempotency-Key` for another body.',
  429: 'A limit is reached; `Retry-After` says when to try again.',
  500: 'The server failed; its log says why.',
  503: 'The log is out of reach, or the server is going down: try again, there may be another.',
};

type Described = Readonly<Record<string, unknown>>;

function failures(...statuses: readonly number[]): Described {
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: FAILURES[status],
        ...((status === 429 || status === 503) && { headers: { 'Retry-After': RETRY_AFTER } }),
        content: { 'application/problem+json': { schema: PROBLEM } },
      },
    ]),
  );
}

const RETRY_AFTER: Described = { description: 'Seconds.', schema: { type: 'integer', minimum: 0 } };

const ref = (name: keyof typeof SCHEMAS): Described => ({ $ref: `#/components/schemas/${name}` });

function json(schema: Described, examples?: Described): Described {
  return { 'application/json': { schema, ...(examples !== undefined && { examples }) } };
}

/** The whole description. */
export function describeApi(): Described {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Tidings',
      version: VERSION,
      summary: 'Publish events; browsers receive them over Server-Sent Events and lose none.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    security: [{ bearer: [] }],
    paths: {
      '/v1/publish': { post: publishing(), options: preflight('publishPreflight') },
      '/v1/events': { get: streaming(), post: changing(), options: preflight('streamPreflight') },
      '/v1/cursor': { get: readingTheCursor() },
      '/openapi.json': {
        get: {
          operationId: 'describe',
          summary: 'This description',
          security: [],
          responses: { 200: { description: 'OpenAPI 3.1.', content: json({ type: 'object' }) } },
        },
      },
    },
    components: {
      schemas: SCHEMAS,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'A JWT whose claims grant topics, or an API key.',
        },
      },
    },
  };
}

function publishing(): Described {
  return {
    operationId: 'publish',
    summary: 'Publish an event, or several',
    description: 'All of them are published or none. The answer comes once the log has them.',
    parameters: [
      {
        name: 'Idempotency-Key',
        in: 'header',
        description: 'The same for every try of a request: its events are published once.',
        schema: { type: 'string', minLength: 1, maxLength: 257 },
        example: '8e03978e-40d5-43e8-bc93-6894a57f9324',
      },
    ],
    requestBody: {
      required: true,
      content: {
        ...json(
          { oneOf: [ref('Event'), { type: 'array', minItems: 1, items: ref('Event') }] },
          {
            one: { value: { topics: 'news', data: { headline: 'Tea is ready' }, type: 'story' } },
            several: {
              value: [
                { topics: ['orders/7', 'orders'], data: { state: 'paid' }, private: true },
                { topics: 'price/tea', key: 'tea', data: 3.2, ttl: 60_000 },
              ],
            },
            conditional: { value: { topics: 'price/tea', key: 'tea', data: 3.4, ifSeq: 17 } },
          },
        ),
        'application/x-ndjson': {
          schema: { type: 'string', description: 'One event a line, as JSON.' },
          example: '{"topics":"news","data":1}\n{"topics":"news","data":2}\n',
        },
        'application/x-www-form-urlencoded': {
          schema: ref('EventForm'),
          example: { topics: ['news'], data: 'Tea is ready' },
        },
      },
    },
    responses: {
      200: {
        description: 'Published. A list, if the request was one, in its order.',
        content: json({ oneOf: [ref('Published'), { type: 'array', items: ref('Published') }] }),
      },
      ...failures(400, 401, 403, 408, 409, 413, 415, 422, 429, 500, 503),
    },
  };
}

const TOPICS = [
  {
    name: 'topic',
    in: 'query',
    description: 'A topic, exactly. May be repeated.',
    schema: { type: 'array', items: ref('Topic') },
    example: ['news'],
  },
  {
    name: 'pattern',
    in: 'query',
    description: 'All topics of a form: `:name` stands for one segment, `*` for anything. May be repeated.',
    schema: { type: 'array', items: { type: 'string', minLength: 1 } },
    example: ['orders/:id'],
  },
];

function streaming(): Described {
  return {
    operationId: 'subscribe',
    summary: 'Receive events as a stream',
    description: 'Server-Sent Events, as PROTOCOL.md describes them. Every `id:` is a cursor.',
    security: [{}, { bearer: [] }],
    parameters: [
      ...TOPICS,
      {
        name: 'Last-Event-ID',
        in: 'header',
        description: 'The cursor after which to go on, or `earliest`. Browsers send it by themselves.',
        schema: { type: 'string' },
      },
      {
        name: 'last_event_id',
        in: 'query',
        description: 'The same for a first request, whose headers a browser can’t set.',
        schema: { type: 'string' },
      },
      {
        name: 'wait',
        in: 'query',
        description: 'Ends the answer with the events after the cursor, or after so many seconds.',
        schema: { type: 'integer', minimum: 0 },
      },
      {
        name: 'labels',
        in: 'query',
        description: 'Says by which matchers each event came.',
        schema: { const: '1' },
      },
    ],
    responses: {
      200: {
        description: 'The stream.',
        content: { 'text/event-stream': { schema: { type: 'string' } } },
      },
      ...failures(400, 401, 403, 405, 406, 429, 500, 503),
    },
  };
}

function changing(): Described {
  return {
    operationId: 'change',
    summary: 'Change the topics of an open stream, or renew its authorization',
    security: [{}, { bearer: [] }],
    requestBody: {
      required: true,
      content: json(ref('Change'), {
        add: {
          value: { connection: 'a8c15c96', secret: '3f5a5208', add: ['news', { pattern: 'orders/:id' }] },
        },
      }),
    },
    responses: {
      200: {
        description: 'Changed. Events of new topics begin after this cursor.',
        content: json(ref('Changed')),
      },
      ...failures(400, 401, 403, 404, 408, 413, 415, 500, 503),
    },
  };
}

function readingTheCursor(): Described {
  return {
    operationId: 'cursor',
    summary: 'The cursor at the head',
    description: 'Read it, then your database: a page that connects with it misses nothing.',
    responses: {
      200: { description: 'The cursor.', content: json(ref('Cursor')) },
      ...failures(401, 500, 503),
    },
  };
}

function preflight(operationId: string): Described {
  return {
    operationId,
    summary: 'Tell a browser what pages of another origin may do',
    security: [],
    responses: { 204: { description: 'See the headers `Access-Control-Allow-…`.' } },
  };
}
