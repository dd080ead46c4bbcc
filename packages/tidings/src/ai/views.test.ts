import { expect, test } from 'vitest';
import { type DecodedEvent, createDecoder } from '../protocol/decode.ts';
import {
  type RunEnd,
  type View,
  formatRunCursor,
  parseRunCursor,
  rawChunks,
  responseEvents,
  uiMessages,
} from './index.ts';

const run = { chat: 'c', id: 'r/1', messageId: 'm', startedAt: 0 };

function events(view: View, chunks: readonly unknown[], end: RunEnd): DecodedEvent[] {
  const found: DecodedEvent[] = [];
  const decoder = createDecoder({ onEvent: (event) => found.push(event) });
  const text = chunks.map((chunk, i) => view.chunk(chunk, i, run)).join('');
  const last = view.end(end, run, chunks.at(-1), chunks.length);
  decoder.feed(new TextEncoder().encode(`${view.heartbeat}${text}${view.heartbeat}${last}`));
  return found;
}

const data = (list: readonly DecodedEvent[]): unknown[] =>
  list.map(({ data: text }) => (text === '[DONE]' ? text : (JSON.parse(text) as unknown)));

test('a UI message stream begins with the stable message id, whatever id the producer gave', () => {
  const chunks = [{ type: 'start', messageId: 'other', messageMetadata: { a: 1 } }, { type: 'finish' }];
  expect(data(events(uiMessages, chunks, { status: 'done' }))).toEqual([
    { type: 'start', messageId: 'm', messageMetadata: { a: 1 } },
    { type: 'finish' },
    '[DONE]',
  ]);
});

test('a UI message stream gets the start and finish that a producer left out', () => {
  const chunks = [{ type: 'text-start', id: '1' }];
  expect(data(events(uiMessages, chunks, { status: 'done' }))).toEqual([
    { type: 'start', messageId: 'm' },
    { type: 'text-start', id: '1' },
    { type: 'finish' },
    '[DONE]',
  ]);
  expect(data(events(uiMessages, [], { status: 'done' }))).toEqual([
    { type: 'start', messageId: 'm' },
    { type: 'finish' },
    '[DONE]',
  ]);
});

test.each([
  ['stopped', { type: 'abort' }],
  ['abandoned', { type: 'abort' }],
  ['failed', { type: 'error', errorText: 'why' }],
  ['lost', { type: 'error', errorText: 'why' }],
] as const)('a UI message stream of a run that was %s says so', (status, expected) => {
  const error = { code: 'x', text: 'why' };
  expect(data(events(uiMessages, [{ type: 'start' }], { status, error })).slice(1)).toEqual([
    expected,
    '[DONE]',
  ]);
});

test('every frame of a UI message stream has a cursor to resume from', () => {
  const ids = events(uiMessages, [{ type: 'start' }, { type: 'text-start', id: '1' }], {
    status: 'done',
  }).map(({ id }) => id);
  expect(ids.map(parseRunCursor).map((cursor) => cursor?.after)).toEqual([1, 2, 2, Infinity]);
});

test('response events are numbered by the run, and resume after a number', () => {
  const chunks = [
    { type: 'response.created', sequence_number: 0 },
    { type: 'response.output_text.delta', delta: 'ab', sequence_number: 1 },
    { type: 'response.completed', sequence_number: 3 },
  ];
  const list = events(responseEvents, chunks, { status: 'done' });
  expect(list.map(({ type }) => type)).toEqual(chunks.map(({ type }) => type));
  expect(data(list)).toMatchObject([{ sequence_number: 0 }, { sequence_number: 1 }, { sequence_number: 2 }]);
  const ask = (query: string) =>
    responseEvents.after?.({ query: new URLSearchParams(query), header: () => undefined });
  expect([ask('starting_after=1'), ask(''), ask('starting_after=x')]).toEqual([2, undefined, undefined]);
  expect(data(events(responseEvents, chunks.slice(0, 2), { status: 'stopped' })).at(-1)).toMatchObject({
    type: 'error',
    code: 'stopped',
    sequence_number: 2,
  });
});

test('raw chunks come with cursors, and the status at the end', () => {
  const list = events(rawChunks, ['a\nb', { x: 1 }], { status: 'done' });
  expect(data(list)).toEqual(['a\nb', { x: 1 }, { status: 'done' }]);
  expect(list.map(({ id }) => parseRunCursor(id))).toEqual([
    { id: 'r/1', after: 1 },
    { id: 'r/1', after: 2 },
    { id: 'r/1', after: Infinity },
  ]);
});

test('a cursor is read back as it was, and anything else is none', () => {
  for (const cursor of [
    { id: 'ä /%', after: 0 },
    { id: 'x', after: Infinity },
  ])
    expect(parseRunCursor(formatRunCursor(cursor))).toEqual(cursor);
  for (const text of ['', 'e.5', 'x/', '/5', 'x/-1', '%E0%/1', 'a/b/1'])
    expect(parseRunCursor(text)).toBeUndefined();
});
