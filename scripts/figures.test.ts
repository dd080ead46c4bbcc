import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fillFigures } from './figures.mjs';

const row = (suite: string, subject: string, metric: string, median: number, params: object) => ({
  ...{ suite, subject, metric, median, params: params as Record<string, number> },
  ...{ unit: '', runs: 5, ratio: null },
});
const rows = [
  row('fanout', 'tidings', 'server cpu', 9.371, { connections: 10_000 }),
  row('fanout', 'tidings', 'server cpu', 1, { connections: 1_000 }),
  row('fanout', 'better-sse', 'server cpu', 18.76, { connections: 10_000 }),
  row('memory', 'tidings', 'resident', 11_650, { connections: 10_000 }),
];

const pages = ['README.md', 'docs/comparison.md', 'docs/scale.md', 'docs/faq.md', 'site/index.md'];
const pageText = (page: string): string => readFileSync(new URL(`../${page}`, import.meta.url), 'utf8');

describe('a figure in the docs', () => {
  test.each([
    ['tidings.cpu; 3', '9.37'],
    ['tidings.cpu / betterSse.cpu; 2', '0.50'],
    ['tidings.memory / 1000; 2', '12'],
    ['tidings.memory * 10; 3', '117,000'],
    ['1 / 3 + tidings.cpu - 9.371; 2', '0.33'],
  ])('%s is %s, whatever stood there', (expression, figure) => {
    const text = `takes <!-- figure: ${expression} -->old\ntext<!-- / --> µs`;
    expect(fillFigures(text, rows)).toBe(`takes <!-- figure: ${expression} -->${figure}<!-- / --> µs`);
  });

  test('that nobody has measured is an error', () => {
    expect(() => fillFigures('<!-- figure: nchan.cpu; 2 -->1<!-- / -->', rows)).toThrow('nchan.cpu');
    expect(() => fillFigures('<!-- figure: nobody.cpu; 2 -->1<!-- / -->', rows)).toThrow('nobody');
  });
});

test('bars are as long as their figures, the longest over the whole width', () => {
  const marker = '<!-- bars: tidings=Tidings, betterSse=better-sse -->\n';
  expect(fillFigures(`${marker}old\n<!-- / -->`, rows)).toBe(
    `${marker}<span>Tidings</span><b class="ours" style="width: 50%">9.4 µs</b>\n` +
      '<span>better-sse</span><b style="width: 100%">18.8 µs</b>\n<!-- / -->',
  );
});

test('no page quotes the CPU of a delivery or the memory of a connection by hand', () => {
  const results = JSON.parse(readFileSync(new URL('../bench/results.json', import.meta.url), 'utf8'));
  for (const page of pages) {
    const text = pageText(page);
    expect(fillFigures(text, results), page).toBe(text);
    const byHand = text
      .replaceAll(/<!-- (figure|bars): .*?<!-- \/ -->/gs, '')
      .match(/\d(?:\.\d+)? (?:µs each|KB)\b|\d\.\d+ of (?:better-sse|nchan)/g);
    expect(byHand ?? [], page).toEqual([]);
  }
});

test('no line begins with a figure: Markdown takes it for a block of HTML, which ends the paragraph', () => {
  for (const page of pages) {
    expect(pageText(page).match(/^\s*<!-- figure: .*$/gm) ?? [], page).toEqual([]);
  }
});
