type Schema = Readonly<Record<string, unknown>>;

const text = (description: string, more: Schema = {}): Schema => ({ type: 'string', description, ...more });
const flag = (description: string): Schema => ({ type: 'boolean', description });

const NAME: Schema = { minLength: 1, maxLength: 255 };
const TOPIC: Schema = text('A topic: any text without control characters.', {
  minLength: 1,
  maxLength: 1024,
});
const MATCHER: Schema = {
  oneOf: [
    TOPIC,
    {
      type: 'object',
      properties: { pattern: { type: 'string', minLength: 1 } },
      required: ['pattern'],
      additionalProperties: false,
    },
  ],
};

const OPTIONS: Schema = {
  type: text('The event’s type; `message` if left out. Not beginning with `tidings:`.', NAME),
  id: text('Your own name for the event: the log stores an id only once.', NAME),
  key: text('Which value this is the newest of, on topics that are states.', NAME),
  tombstone: flag('Deletes the key.'),
  ttl: { type: 'integer', minimum: 1, description: 'Milliseconds after which the key is deleted.' },
  ifSeq: { type: 'integer', minimum: 1, description: 'Publish only if this is the seq of the key’s value.' },
  ifAbsent: flag('Publish only if the key has no value.'),
  private: flag('Only for subscribers who were granted private events on one of the topics.'),
  raw: flag('`data` is a string that is sent unchanged, instead of as JSON.'),
};

/** A failure, as problem details: https://www.rfc-editor.org/rfc/rfc9457 */
export const PROBLEM: Schema = { $ref: '#/components/schemas/Problem' };

type SchemaName = 'Topic' | 'Event' | 'EventForm' | 'Published' | 'Change' | 'Changed' | 'Cursor' | 'Problem';

export const SCHEMAS: Readonly<Record<SchemaName, Schema>> = {
  Topic: TOPIC,
  Event: {
    type: 'object',
    properties: {
      topics: {
        description: 'One topic, or several; the first is canonical.',
        oneOf: [TOPIC, { type: 'array', items: TOPIC, minItems: 1 }],
      },
      data: { description: 'Any JSON.' },
      ...OPTIONS,
    },
    required: ['topics'],
    anyOf: [{ required: ['data'] }, { required: ['tombstone'] }],
    additionalProperties: false,
  },
  EventForm: {
    type: 'object',
    properties: {
      topics: { type: 'array', items: TOPIC, description: 'Repeat the field for several.' },
      data: text('Sent as a JSON string, or unchanged with `raw`.'),
      ...OPTIONS,
    },
    required: ['topics', 'data'],
    additionalProperties: false,
  },
  Published: {
    type: 'object',
    properties: {
      cursor: text('The position right after the event: a stream that begins here gets all later ones.'),
      seq: { type: 'integer', minimum: 1, description: 'The event’s number in the log, for `ifSeq`.' },
      duplicate: flag(
        'Nothing was appended: an event with this id, or a newer one of this key, is there already.',
      ),
    },
    required: ['cursor', 'seq', 'duplicate'],
    additionalProperties: false,
  },
  Change: {
    type: 'object',
    properties: {
      connection: text('`connection` of the stream’s welcome.'),
      secret: text('`secret` of the welcome.'),
      add: { type: 'array', items: MATCHER },
      drop: { type: 'array', items: MATCHER },
    },
    required: ['connection', 'secret'],
  },
  Changed: {
    type: 'object',
    properties: { cursor: { type: 'string' }, topics: { type: 'array', items: MATCHER } },
    required: ['cursor', 'topics'],
  },
  Cursor: {
    type: 'object',
    properties: { cursor: { type: 'string' } },
    required: ['cursor'],
    additionalProperties: false,
  },
  Problem: {
    type: 'object',
    description:
      'Problem details (RFC 9457). Decide by `code`, which is stable; further members depend on it.',
    properties: {
      type: { type: 'string' },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: text('What happened, for people.'),
      code: text('Such as `auth/forbidden`: docs/errors.md explains each.', { pattern: '^[a-z]+/[a-z-]+$' }),
    },
    required: ['type', 'title', 'status', 'detail', 'code'],
  },
};
