/**
 * Readers that stop reading, beside readers that don't: `node bench/slow.mjs [seconds] [readers] [stalled]`.
 *
 * Phases of equal length without and with the stalled ones take turns on one server, and p99 of the others is
 * compared between them. At the end the stalled ones read on, and have to get every event, in order.
 */
import { fork } from 'node:child_process';
import { createConnection } from 'node:net';
import { fileURLToPath } from 'node:url';

const [seconds = 60, readers = 100, stalled = 100] = process.argv.slice(2).map(Number);
const RATE = 500;
const SIZE = 1000;

const server = fork(fileURLToPath(new URL('slow-server.mjs', import.meta.url)), [RATE, SIZE]);
const memory = [];
const port = await new Promise((resolve) => {
  server.on('message', (message) =>
    message.port === undefined ? memory.push(message) : resolve(message.port),
  );
});

/** A raw socket that looks for lines of data, so that this process isn't what limits. */
function connect(onEvent) {
  const socket = createConnection(port, '127.0.0.1');
  let rest = '';
  socket.setEncoding('latin1');
  socket.write('GET / HTTP/1.1\r\nHost: bench\r\n\r\n');
  socket.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    for (const line of lines) if (line.startsWith('data: ') && line[6] !== '{') onEvent(line);
  });
  return socket;
}

let latencies = [];
const sockets = Array.from({ length: readers }, () =>
  connect((line) => {
    const [, , sentAt] = line.split(' ', 3);
    latencies.push(Number(process.hrtime.bigint() - BigInt(sentAt)) / 1e6);
  }),
);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function measure(ms) {
  latencies = [];
  await pause(ms);
  const sorted = Float64Array.from(latencies).sort();
  const at = (q) => sorted[Math.floor(q * sorted.length)];
  return { events: sorted.length, p50: at(0.5), p99: at(0.99) };
}

await pause(3000);
const slow = [];
const results = { without: [], with: [] };
for (let round = 0; round < 2; round += 1) {
  results.without.push(await measure((seconds * 1000) / 4));
  while (slow.length < (stalled * (round + 1)) / 2) {
    const state = { first: 0, last: 0, broken: 0 };
    const socket = connect((line) => {
      const n = Number(line.split(' ', 2)[1]);
      if (state.last !== 0 && n !== state.last + 1) state.broken += 1;
      state.first ||= n;
      state.last = n;
    });
    // It takes the beginning of the stream, then nothing.
    socket.once('data', () => socket.pause());
    slow.push({ socket, state });
  }
  // Until the kernel's buffers are full, even a reader that reads nothing costs what one that reads does.
  await pause(Math.max(20_000, seconds * 250));
  results.with.push(await measure((seconds * 1000) / 4));
}
const before = memory.at(-1);
await pause(seconds * 500);
const after = memory.at(-1);

for (const { socket } of slow) socket.resume();
const caughtUp = () => slow.every(({ state }) => state.last >= after.n);
for (let i = 0; i < 600 && !caughtUp(); i += 1) await pause(100);

const median = (list, key) =>
  list.map((each) => each[key]).sort((a, b) => a - b)[Math.floor(list.length / 2)];
const p99 = { without: median(results.without, 'p99'), with: median(results.with, 'p99') };
const MiB = 1_048_576;
const own = ({ heapUsed, arrayBuffers, log }) => (heapUsed + arrayBuffers - log * 2) / MiB;
console.table([
  { phase: 'without stalled readers', p50: median(results.without, 'p50'), p99: p99.without },
  { phase: `with ${slow.length} stalled readers`, p50: median(results.with, 'p50'), p99: p99.with },
]);
console.log(`p99 ratio: ${(p99.with / p99.without).toFixed(2)}`);
console.log(`behind while stalled: ${after.behind} of ${after.connections} connections`);
console.log(
  `memory besides the log over the last ${seconds / 2} s: ${own(before).toFixed(0)} MiB to ${own(after).toFixed(0)} MiB` +
    ` (log ${(before.log / MiB).toFixed(0)} to ${(after.log / MiB).toFixed(0)} MiB)`,
);
const broken = slow.filter(({ state }) => state.broken > 0).length;
console.log(
  `read on: ${slow.length} readers, ${broken} with an event missing or out of order, all caught up: ${caughtUp()}`,
);
for (const socket of [...sockets, ...slow.map((each) => each.socket)]) socket.destroy();
server.disconnect();
process.exitCode = broken === 0 && caughtUp() ? 0 : 1;
