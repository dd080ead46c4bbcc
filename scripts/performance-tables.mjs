// Puts the figures of bench/results.json into the docs: tables below each line
// `<!-- results: SUITE; PARAMETERS; METRICS -->`, and single figures (./figures.mjs). With `--check` it only says whether
// they are there.
import { readFileSync, writeFileSync } from 'node:fs';
import { fillFigures } from './figures.mjs';

/** @typedef {import('./figures.mjs').Row} Row */

const PAGES = [
  'README.md',
  'docs/comparison.md',
  'docs/faq.md',
  'docs/performance.md',
  'docs/scale.md',
  'site/index.md',
];
/** @type {readonly Row[]} */
const rows = JSON.parse(readFileSync(new URL('../bench/results.json', import.meta.url), 'utf8'));
const number = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });

/** @param {string} marker */
function toTable(marker) {
  const [suite = '', parameters = '', metrics = ''] = marker.split(';').map((part) => part.trim());
  const names = split(parameters);
  const wanted = split(metrics);
  const ofSuite = rows.filter(
    (row) => row.suite === suite && Object.keys(row.params).join() === names.join(),
  );
  /** @type {Map<string, Row[]>} */
  const lines = new Map();
  for (const row of ofSuite) {
    const key = JSON.stringify([row.params, row.subject]);
    lines.set(key, [...(lines.get(key) ?? []), row]);
  }
  const cells = [...lines.values()].map((line) => [
    ...names.map((name) => toText(line[0]?.params[name] ?? '')),
    line[0]?.subject ?? '',
    ...wanted.map((metric) => toCell(line.find((row) => row.metric === metric))),
  ]);
  if (cells.length === 0) return `| No figures yet: \`npm run bench -- ${suite}\` |\n| --- |`;
  const unitOf = (/** @type {string} */ metric) => ofSuite.find((row) => row.metric === metric)?.unit;
  const head = [...names, '', ...wanted.map((metric) => `${metric}, ${unitOf(metric) ?? '?'}`)];
  return [head, head.map(() => '---'), ...cells].map((line) => `| ${line.join(' | ')} |`).join('\n');
}

/** @param {string} list */
function split(list) {
  return list.split(',').map((part) => part.trim());
}

/** @param {string | number} value */
function toText(value) {
  return typeof value === 'number' ? new Intl.NumberFormat('en-US').format(value) : value;
}

/** @param {Row | undefined} row */
function toCell(row) {
  if (row === undefined) return '';
  const ratio = row.ratio === null ? '' : ` (${number.format(row.ratio)})`;
  return `${number.format(row.median)}${ratio}`;
}

let stale = 0;
for (const page of PAGES) {
  const file = new URL(`../${page}`, import.meta.url);
  const before = readFileSync(file, 'utf8');
  const after = fillFigures(before, rows).replaceAll(
    /(<!-- results: (.*?) -->\n)(?:\n(?:\|.*\n)+)?/g,
    (_, line, marker) => `${line}\n${toTable(marker)}\n`,
  );
  if (after === before) continue;
  stale += 1;
  if (!process.argv.includes('--check')) writeFileSync(file, after);
  else console.error(`${page} does not say what bench/results.json does: npm run bench:tables`);
}
if (stale > 0 && process.argv.includes('--check')) process.exit(1);
