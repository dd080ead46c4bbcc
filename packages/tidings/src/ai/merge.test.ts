import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergeDeltas, textOf } from './merge.ts';

function completion(content: string, more: object = {}): object {
  return {
    id: 'x',
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta: { content }, finish_reason: null, ...more }],
  };
}

test.each([
  ['text', 'a', 'b', 'ab'],
  [
    'AI SDK text',
    { type: 'text-delta', id: '1', delta: 'a' },
    { type: 'text-delta', id: '1', delta: 'b' },
    { type: 'text-delta', id: '1', delta: 'ab' },
  ],
  [
    'AI SDK tool input',
    { type: 'tool-input-delta', toolCallId: '1', inputTextDelta: '{"a' },
    { type: 'tool-input-delta', toolCallId: '1', inputTextDelta: '":1}' },
    { type: 'tool-input-delta', toolCallId: '1', inputTextDelta: '{"a":1}' },
  ],
  [
    'OpenAI Responses, whose numbers differ',
    { type: 'response.output_text.delta', item_id: 'i', delta: 'a', logprobs: [], sequence_number: 4 },
    { type: 'response.output_text.delta', item_id: 'i', delta: 'b', logprobs: [], sequence_number: 5 },
    { type: 'response.output_text.delta', item_id: 'i', delta: 'ab', logprobs: [], sequence_number: 4 },
  ],
  ['OpenAI chat completions', completion('a'), completion('b'), completion('ab')],
])('adjacent deltas of %s become one', (_name, a, b, merged) => {
  expect(mergeDeltas(a, b)).toEqual(merged);
});

test.each([
  [
    'text of different parts',
    { type: 'text-delta', id: '1', delta: 'a' },
    { type: 'text-delta', id: '2', delta: 'b' },
  ],
  [
    'text and reasoning',
    { type: 'text-delta', id: '1', delta: 'a' },
    { type: 'reasoning-delta', id: '1', delta: 'b' },
  ],
  [
    'a delta with metadata of its own',
    { type: 'text-delta', id: '1', delta: 'a' },
    { type: 'text-delta', id: '1', delta: 'b', providerMetadata: { x: 1 } },
  ],
  [
    'a delta with log probabilities',
    { type: 'response.output_text.delta', delta: 'a', logprobs: [] },
    { type: 'response.output_text.delta', delta: 'b', logprobs: [{}] },
  ],
  ['chunks that are no deltas', { type: 'data-x', data: 1 }, { type: 'data-x', data: 1 }],
  ['a text and an object', 'a', { type: 'text-delta', id: '1', delta: 'b' }],
  ['nulls', null, null],
  ['a completion that finishes', completion('a'), completion('b', { finish_reason: 'stop' })],
  ['completions of two choices', completion('a'), completion('b', { index: 1 })],
])('%s stay apart', (_name, a, b) => {
  expect(mergeDeltas(a, b)).toBeUndefined();
});

test('merging changes nothing in the text, however chunks are grouped', () => {
  const chunk = fc.oneof(
    fc.record({ type: fc.constant('text-delta'), id: fc.constantFrom('1', '2'), delta: fc.string() }),
    fc.record({ type: fc.constant('reasoning-delta'), id: fc.constant('1'), delta: fc.string() }),
    fc.string().map((text) => completion(text)),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(chunk), (chunks) => {
      const merged: unknown[] = [];
      for (const each of chunks) {
        const both = merged.length === 0 ? undefined : mergeDeltas(merged.at(-1), each);
        if (both === undefined) merged.push(each);
        else merged[merged.length - 1] = both;
      }
      expect(merged.map(textOf).join('')).toBe(chunks.map(textOf).join(''));
      const byPart = (list: readonly unknown[]): string[] =>
        ['1', '2'].map((id) =>
          list
            .filter((each) => (each as { id?: string }).id === id)
            .map(textOf)
            .join(''),
        );
      expect(byPart(merged)).toEqual(byPart(chunks));
    }),
  );
});
