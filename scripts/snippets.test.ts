import { describe, expect, it } from 'vitest';
import { extractFiles, extractSnippets } from './snippets.mjs';

const page = (...lines: string[]): string => lines.join('\n');

describe('extractSnippets', () => {
  it('takes ts and js blocks and leaves the others alone', () => {
    const markdown = page(
      '```ts',
      'one;',
      '```',
      '```sh',
      'npm ci',
      '```',
      '```js',
      'two;',
      '```',
      '```',
      'three',
      '```',
    );
    expect(extractSnippets('README.md', markdown).map(({ name, text }) => [name, text.trim()])).toEqual([
      ['README.1.ts', 'one;'],
      ['README.7.js', 'two;'],
    ]);
  });

  it('keeps every line on the line number it has in the page', () => {
    const [snippet] = extractSnippets('docs/a.md', page('# A', '', '```ts', 'const a = 1;', '```'));
    expect(snippet?.text.split('\n')[3]).toBe('const a = 1;');
  });

  it('joins the blocks of one page that share a file name, on their own lines', () => {
    const markdown = page(
      '```ts file=app.ts',
      'const a = 1;',
      '```',
      'Then:',
      '```ts file=app.ts run',
      'a;',
      '```',
    );
    const snippets = extractSnippets('docs/guides/x.md', markdown);
    expect(snippets).toHaveLength(1);
    expect(snippets[0]).toMatchObject({ name: 'docs-guides-x.app.ts', run: true });
    expect(snippets[0]?.text.split('\n')).toEqual(['', 'const a = 1;', '', '', '', 'a;', '']);
  });

  it('takes the indent of a list item off its block', () => {
    const [snippet] = extractSnippets(
      'a.md',
      page('1. Step', '', '   ```ts', '   if (a) {', '     b();', '   }', '   ```'),
    );
    expect(snippet?.text.trim()).toBe(page('if (a) {', '  b();', '}'));
  });

  it('leaves a block alone that is quoted in a longer fence', () => {
    expect(extractSnippets('a.md', page('````md', '```ts', 'x', '```', '````'))).toEqual([]);
  });

  it.each(['typescript', 'jsx', 'ts fragment', 'ts file=../x'])('refuses the info string "%s"', (info) => {
    expect(() => extractSnippets('a.md', page('', `\`\`\`${info}`, 'x', '```'))).toThrow(/^a\.md:2: /);
  });
});

it('extractFiles takes the named blocks of every language', () => {
  const markdown = page(
    '```vue file=App.vue',
    '<p>1</p>',
    '```',
    '```ts',
    'x',
    '```',
    '```vue file=App.vue',
    '<p>2</p>',
    '```',
  );
  expect([...extractFiles(markdown)]).toEqual([['App.vue', '<p>1</p>\n<p>2</p>\n']]);
});
