import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { expect, test } from 'vitest';
import { Markdown } from './markdown.tsx';

const render = (text: string): string => renderToStaticMarkup(createElement(Markdown, { text }));

test('what a model writes can’t run, load or send anything', () => {
  const html = render(
    [
      '<img src=x onerror="alert(1)"><script>alert(2)</script>',
      '[run](javascript:alert(3)) [data](data:text/html;base64,AA==)',
      '![](https://example.com/track?chat=secret)',
      '<iframe srcdoc="<script>alert(4)</script>"></iframe>',
    ].join('\n\n'),
  );
  expect(html).not.toMatch(/<(img|script|iframe)/);
  expect(html).not.toMatch(/href="(javascript|data):/);
  expect(html).toContain('&lt;script&gt;');
});

test('links open another tab, without a word about the chat', () => {
  expect(render('[tide](https://example.com)')).toContain(
    '<a href="https://example.com" target="_blank" rel="noopener noreferrer nofollow">tide</a>',
  );
});

test('headings of any level are below those of the page', () => {
  expect(render('# a\n\n###### b')).toBe('<div class="markdown"><h3>a</h3>\n<h3>b</h3></div>');
});
