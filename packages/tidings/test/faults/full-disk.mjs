// Publishes until the log can't grow any more, then reads. The caller has limited how large a file may become.
import { createHub } from 'tidings';
import { lmdbLog } from 'tidings/lmdb';
import { createMatcherSet } from 'tidings/log';

const log = lmdbLog({ path: process.argv[2] });
const hub = createHub({ log });
const everything = createMatcherSet([{ pattern: '*' }]);
let acknowledged = 0;
const failures = [];
while (failures.length < 3) {
  try {
    await hub.publish('a', 'x'.repeat(5000));
    acknowledged += 1;
  } catch (error) {
    failures.push(error.code);
  }
}
const limit = { events: Infinity, length: Infinity };
const { entries } = await log.read({ after: 0, wants: () => true, matchers: everything, limit });
await hub.close();
process.stdout.write(JSON.stringify({ acknowledged, failures, read: entries.length }));
