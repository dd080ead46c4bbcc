// The hub under test: publishes at a fixed rate for as long as it runs, and tells its memory every second.
import { createServer } from 'node:http';
import { createHub, memoryLog } from 'tidings';
import { sse } from 'tidings/node';

const [rate, size] = process.argv.slice(2).map(Number);
const log = memoryLog({ retention: { events: 1_000_000, bytes: 512 * 1_048_576 } });
const hub = createHub({ log, heartbeat: 5000, stallTimeout: 3_600_000 });
const padding = 'x'.repeat(size);

let n = 0;
setInterval(() => {
  for (let i = 0; i < rate / 100; i += 1) {
    n += 1;
    // The monotonic clock is one for all processes of a machine.
    void hub.publish('load', `${n} ${process.hrtime.bigint()} ${padding}`, { raw: true });
  }
}, 10);
setInterval(() => {
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  const { connections, live, behind, tail } = hub.stats();
  // The log grows with time and holds what slow readers come back for: it is told beside what it takes.
  process.send?.({ rss, heapUsed, arrayBuffers, connections, live, behind, log: tail.bytes, n });
}, 1000);

const server = createServer(sse(hub, { topics: ['load'] }));
server.listen(0, '127.0.0.1', () => process.send?.({ port: server.address().port }));
process.on('disconnect', () => process.exit());
