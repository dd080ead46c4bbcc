import { expect, test } from 'vitest';
import { answerTo, tokensOf } from './answer.ts';

const ask = (content: string): string => answerTo([{ role: 'user', content }]);

test('the model says the same when it is asked the same, and something else when it is asked something else', () => {
  expect(ask('Why the tide?')).toBe(ask('Why the tide?'));
  expect(ask('Why the tide?')).not.toBe(ask('Why the moon?'));
  const again = [
    { role: 'user', content: 'Why the tide?' },
    { role: 'assistant', content: 'Because.' },
    { role: 'user', content: 'Why the tide?' },
  ];
  expect(answerTo(again)).not.toBe(ask('Why the tide?'));
});

test('an answer is about the question, and as long as it was asked for', () => {
  expect(ask('Tell me about lighthouses')).toContain('lighthouses');
  const paragraphs = ask('In 20 paragraphs: fog').split('\n\n').length;
  // With an opening, a closing and something in between.
  expect(paragraphs).toBeGreaterThanOrEqual(23);
  expect(ask('').length).toBeGreaterThan(50);
});

test('its tokens are the answer, cut into pieces', () => {
  for (const question of ['a', 'b', 'c', 'd', 'e', 'f', 'g', '🌊 über 5 paragraphs']) {
    const answer = ask(question);
    const tokens = tokensOf(answer);
    expect(tokens.join('')).toBe(answer);
    expect(Math.max(...tokens.map(({ length }) => length))).toBeLessThan(12);
  }
});
