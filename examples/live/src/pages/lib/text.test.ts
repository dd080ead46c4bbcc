import { describe, expect, test } from 'vitest';
import { hueOf, splitMentions } from './text.ts';

const USERS = ['ada', 'grace', 'example'];

describe('splitting a text at its mentions', () => {
  test('a text without mentions is one piece, an empty text has none', () => {
    expect(splitMentions('hello', USERS)).toEqual([{ kind: 'text', text: 'hello' }]);
    expect(splitMentions('', USERS)).toEqual([]);
  });

  test('mentions are pieces of their own, in any position', () => {
    expect(splitMentions('@ada and @Grace', USERS)).toEqual([
      { kind: 'mention', text: '@ada' },
      { kind: 'text', text: ' and ' },
      { kind: 'mention', text: '@Grace' },
    ]);
  });

  test('a name that no user has is plain text', () => {
    expect(splitMentions('ask @nobody or @ada', USERS)).toEqual([
      { kind: 'text', text: 'ask @nobody or ' },
      { kind: 'mention', text: '@ada' },
    ]);
  });

  test('an e-mail address mentions nobody', () => {
    expect(splitMentions('mail ada@example.org', USERS)).toEqual([
      { kind: 'text', text: 'mail ada@example.org' },
    ]);
  });

  test.each(['@a1 <b>@ada</b>\n@ada', 'no one', '@@ada', 'x @ada_lovelace!', '🙂@ada🙂'])(
    'joined again, the pieces of %j are the text',
    (text) => {
      expect(
        splitMentions(text, USERS)
          .map((part) => part.text)
          .join(''),
      ).toBe(text);
    },
  );
});

test('a name has the same colour however it is written', () => {
  expect(hueOf('Ada', 8)).toBe(hueOf('ada', 8));
  expect(hueOf('ada', 8)).toBeLessThan(8);
});
