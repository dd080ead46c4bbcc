// Puts the figures of bench/results.json into docs/performance.md, below each line
// `<!-- results: SUITE; PARAMETERS; METRICS -->`. With `--check` it only says whether they are there.
import { readFileSync, writeFileSync } from 'node:fs';

/**
 * @typedef {{ suite: string, subject: string, params: Record<string, string | number>, metric: string, unit: string,
 *   median: number, runs: number, ratio: number | null }} Row
 */

const page = new URL('../docs/performance.md', import.meta.url);
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

const before = readFileSync(page, 'utf8');
const after = before.replaceAll(
  /(<!-- results: (.*?) -->\n)(?:\n(?:\|.*\n)+)?/g,
  (_, line, marker) => `${line}\n${toTable(marker)}\n`,
);
if (process.argv.includes('--check')) {
  if (after === before) process.exit(0);
  console.error('docs/performance.md does not say what bench/results.json does: npm run bench:tables');
  process.exit(1);
}
writeFileSync(page, after);
