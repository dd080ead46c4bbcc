/**
 * Attacks each transport, and the server as a program, with random requests: methods, headers, bodies, cursors, patterns, pipelining, sockets that are
 * cut. The server must not crash, leave a promise's rejection to nobody, hold up its event loop or grow; and every answer
 * must be one that the documents tell of. `npm run fuzz -- --help` lists the options.
 */
import { parseArgs } from 'node:util';
import { type Outcome, fuzz } from './run.ts';
import { targets } from './targets.ts';

const HELP = `npm run fuzz -- [options]

  --requests=N      requests to each transport, default 100000
  --seconds=N       ends a transport's run after this time. Default: no bound
  --transport=NAME  one of ${Object.keys(targets).join(', ')}; may be given several times. Default: all
  --seed=N          repeats a run: each peer sends the same again. Default: random
  --peers=N         peers at the same time, default 12
  --turn=N          the milliseconds of CPU that a turn of the server's event loop may last, default 50`;

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '100000' },
    seconds: { type: 'string', default: 'Infinity' },
    transport: { type: 'string', multiple: true, default: Object.keys(targets) },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000_000)) },
    peers: { type: 'string', default: '12' },
    turn: { type: 'string', default: '50' },
    help: { type: 'boolean', default: false },
  },
});

function print(
  transport: string,
  { requests, seconds, tally, longestTurn, memory, problems }: Outcome,
): void {
  const megabytes = memory.map((bytes) => (bytes / 1e6).toFixed(1)).join(' ');
  console.log(
    `${transport}: ${requests} requests in ${seconds.toFixed(0)} s, longest turn ${longestTurn.toFixed(1)} ms, memory ${megabytes} MB`,
  );
  for (const [kind, count] of [...tally].toSorted(([a], [b]) => a.localeCompare(b)))
    console.log(`${String(count).padStart(9)}  ${kind}`);
  for (const problem of problems) console.log(`  ! ${problem}`);
}

if (values.help) console.log(HELP);
else {
  const seed = Number(values.seed);
  console.log(`Seed ${seed}. To repeat: npm run fuzz -- --seed=${seed}`);
  for (const transport of values.transport) {
    const outcome = await fuzz({
      transport,
      requests: Number(values.requests),
      seed,
      seconds: Number(values.seconds),
      peers: Number(values.peers),
      longestTurn: Number(values.turn),
    });
    print(transport, outcome);
    if (outcome.problems.length > 0) process.exitCode = 1;
  }
  // Node may take a minute to let go of thousands of sockets that were cut.
  process.exit();
}
