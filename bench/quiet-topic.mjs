/**
 * What a client costs that comes back after 100 events on a quiet topic, by the length of the log in between:
 * `node bench/quiet-topic.mjs [lengths…]`. The tail is small, so that the log itself is read.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lmdbLog } from 'tidings/lmdb';

const lengths = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [10_000, 100_000, 1_000_000];
const RESUMES = 2000;

const event = (topic, data) => ({ topics: [topic], data, tombstone: false, private: false });
const quiet = { topics: new Set(['quiet']), patterns: [] };
const limit = { events: 1000, length: 65_536 };
const rows = [];

for (const length of lengths) {
  const path = mkdtempSync(join(tmpdir(), 'tidings-bench-'));
  const log = lmdbLog({ path, tail: { events: 100 }, retention: {} });
  const data = JSON.stringify('x'.repeat(100));
  // 100 quiet events, evenly among the busy ones.
  for (let i = 0; i < 100; i += 1) {
    await log.append([event('quiet', data)]);
    for (let left = length / 100; left > 0; left -= 1000) {
      const size = Math.min(left, 1000);
      await log.append(Array.from({ length: size }, (_, n) => event(`busy/${n % 50}`, data)));
    }
  }
  const times = [];
  for (let i = 0; i < RESUMES; i += 1) {
    const start = process.hrtime.bigint();
    const page = await log.read({ after: 0, wants: () => true, matchers: quiet, limit });
    times.push(Number(process.hrtime.bigint() - start) / 1000);
    if (page.entries.length !== 100) throw new Error(`${page.entries.length} events`);
  }
  times.sort((a, b) => a - b);
  rows.push({ 'events in the log': length, 'median µs for 100 events': times[RESUMES / 2] });
  await log.close();
  rmSync(path, { recursive: true, force: true });
}
console.table(rows);
