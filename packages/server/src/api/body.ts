import type { EventInput } from 'tidings';
import { createError, describe, exceededBound, likelyName } from 'tidings/transport';

/** The body of a request to publish. */
export interface PublishBody {
  readonly events: readonly EventInput[];
  /** The answer has the shape of the request: one event, or a list. */
  readonly isList: boolean;
}

export type MediaType = 'json' | 'ndjson' | 'form';

/** By media type, as `Content-Type` has it. */
export const MEDIA_TYPES: Readonly<Record<string, MediaType>> = {
  'application/json': 'json',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/x-www-form-urlencoded': 'form',
};

const decoder = new TextDecoder('utf-8', { fatal: true });

/** @throws {TidingsError} `request/invalid-body`, `request/too-many-events`, `request/body-too-large`, `event/*`. */
export function parseBody(type: MediaType, bytes: Uint8Array, most: number): PublishBody {
  const text = decode(bytes);
  if (type !== 'form') assertBounded(text, most);
  switch (type) {
    case 'json': {
      const value = parse(text, 'The body');
      return Array.isArray(value)
        ? { events: eventsOf(value, most), isList: true }
        : { events: eventsOf([value], most), isList: false };
    }
    case 'ndjson': {
      const lines = text.split('\n').filter((line) => line.trim() !== '');
      assertCount(lines.length, most);
      const values = lines.map((line, i) => parse(line, `Line ${i + 1}`));
      return { events: eventsOf(values, most), isList: true };
    }
    case 'form':
      // The content type that `curl -d` sends unless one is named.
      if (/^\s*[[{]/.test(text))
        throw createError(
          'request/invalid-body',
          'The body looks like JSON, and came as a form. Send it with `Content-Type: application/json`.',
        );
      assertFields(text);
      return { events: [eventOf(new URLSearchParams(text))], isList: false };
  }
}

/** The most fields of a form, nearly all of which are topics: the body's limit allows for so many that reading them takes long. */
const MAX_FIELDS = 2000;

function assertFields(form: string): void {
  let fields = 0;
  for (let at = form.indexOf('&'); at !== -1; at = form.indexOf('&', at + 1)) {
    fields += 1;
    if (fields >= MAX_FIELDS)
      throw createError('request/body-too-large', `A form may have ${MAX_FIELDS} fields.`);
  }
}

/** Deeper than any data: writing it overflows the stack. */
const MAX_DEPTH = 200;
/** To read and write so many values takes up to 20 ms, in which nobody else has a turn; a mebibyte may have half a million. */
const MAX_VALUES = 20_000;
/** A server that takes larger batches takes as many for each event. */
const MAX_VALUES_PER_EVENT = 20;

function assertBounded(json: string, mostEvents: number): void {
  const values = Math.max(MAX_VALUES, MAX_VALUES_PER_EVENT * mostEvents);
  switch (exceededBound(json, { depth: MAX_DEPTH, values })) {
    case 'depth':
      throw createError('event/invalid-data', `The JSON is nested more than ${MAX_DEPTH} levels deep.`);
    case 'values':
      throw createError(
        'request/body-too-large',
        `The JSON of a request may have ${values} values. Send it in several requests, or as text.`,
      );
    case undefined:
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw createError('request/invalid-body', 'The body is not UTF-8.', { cause });
  }
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw createError('request/invalid-body', `${what} is not JSON.`, { cause });
  }
}

function eventsOf(values: readonly unknown[], most: number): readonly EventInput[] {
  if (values.length === 0) throw createError('request/invalid-body', 'Expected at least one event.');
  assertCount(values.length, most);
  for (const [i, value] of values.entries()) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const which = values.length === 1 ? 'the event' : `event ${i + 1}`;
      throw createError(
        'request/invalid-body',
        `Expected ${which} to be an object with \`topics\` and \`data\`, got ${describe(value)}.`,
      );
    }
    // Absent data would be a slip; the library's message speaks of JavaScript's undefined.
    if (!Object.hasOwn(value, 'data') && (value as { tombstone?: unknown }).tombstone !== true)
      throw createError('event/invalid-data', 'An event needs `data`; null if there is nothing to say.');
  }
  return values.map(
    (value) =>
      (Object.hasOwn(value as object, 'data') ? value : { ...(value as object), data: null }) as EventInput,
  );
}

function assertCount(count: number, most: number): void {
  if (count <= most) return;
  throw createError(
    'request/too-many-events',
    `One request may have ${most} events, this one has ${count}.`,
    {
      details: { events: count, maxEvents: most },
    },
  );
}

const TEXTS = ['type', 'id', 'key'] as const;
const FLAGS = ['tombstone', 'private', 'raw', 'ifAbsent'] as const;
const NUMBERS = ['ttl', 'ifSeq'] as const;
const FIELDS = ['topics', 'data', ...TEXTS, ...FLAGS, ...NUMBERS];

/** The fields of a form have the names that an event has in JSON; `topics` may be repeated. */
function eventOf(form: URLSearchParams): EventInput {
  for (const name of new Set(form.keys())) {
    if (!FIELDS.includes(name)) throw unknownField(name);
    if (name !== 'topics' && form.getAll(name).length > 1)
      throw createError('request/invalid-body', `The form has \`${name}\` more than once.`);
  }
  const fields: Record<string, unknown> = {};
  for (const name of TEXTS) if (form.has(name)) fields[name] = form.get(name);
  for (const name of FLAGS) if (form.has(name)) fields[name] = flagOf(name, form.get(name) ?? '');
  for (const name of NUMBERS) if (form.has(name)) fields[name] = numberOf(name, form.get(name) ?? '');
  if (!form.has('data') && fields['tombstone'] !== true)
    throw createError('event/invalid-data', 'The form needs `data`, which may be empty.');
  return { ...fields, topics: form.getAll('topics'), data: form.get('data') };
}

function unknownField(name: string): Error {
  const likely = likelyName(name.replace(/\[\]$/, ''), FIELDS);
  const advice = likely === undefined ? '' : ` Did you mean \`${likely}\`?`;
  return createError('event/invalid-option', `Events have no field \`${name}\`.${advice}`, {
    details: { option: name },
  });
}

function flagOf(name: string, text: string): boolean {
  if (text === 'true') return true;
  if (text === 'false') return false;
  throw createError(
    'event/invalid-option',
    `Expected \`${name}\` to be true or false, got ${describe(text)}.`,
    {
      details: { option: name },
    },
  );
}

function numberOf(name: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw createError(
    'event/invalid-option',
    `Expected \`${name}\` to be a whole number, got ${describe(text)}.`,
    {
      details: { option: name },
    },
  );
}
