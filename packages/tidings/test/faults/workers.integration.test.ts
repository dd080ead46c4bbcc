import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { DEADLINE } from '../../../../scripts/deadline.ts';
import { until, untilAsync } from '../http/deadline.ts';
import { freePort } from './free-port.ts';
import { Reader } from './reader.ts';

/** This variable raises it. The counts are printed. */
const kills = Number(process.env['TIDINGS_KILLS'] ?? 8);
const PUBLISHERS = 4;
const READERS = 12;
const TOPICS = ['a', 'b', 'c'];

interface Workers {
  readonly url: string;
  /** The processes that listen. */
  readonly pids: readonly number[];
  readonly killed: ReadonlySet<number>;
  /** Kills one of them, which is replaced. */
  kill(): void;
}

describe('several processes on one log and one port', () => {
  test(
    `lose and repeat nothing, in one order, while ${kills} of them are killed`,
    { timeout: 3 * DEADLINE + kills * 30_000 },
    async () => {
      const workers = await startWorkers(3);
      const topicsOf = (i: number): readonly string[] => (i % 2 === 0 ? TOPICS : [TOPICS[i % 3] ?? 'a']);
      const readers = Array.from({ length: READERS }, (_, i) => new Reader(workers.url, topicsOf(i)));
      onTestFinished(() => readers.forEach((reader) => reader.close()));
      const acknowledged = new Map<string, string>();
      let publishing = true;
      const publishers = Array.from({ length: PUBLISHERS }, async (_, publisher) => {
        for (let batch = 0; publishing; batch += 1)
          await publishUntilAcknowledged(workers.url, `${publisher}-${batch}`, acknowledged);
      });
      for (let kill = 0; kill < kills; kill += 1) {
        const enough = acknowledged.size + 30;
        await until('further events acknowledged', () => acknowledged.size >= enough);
        await until('all workers listen', () => workers.pids.length === 3);
        // Half of them come back to whichever process takes them, with the cursor that they have.
        for (const [i, reader] of readers.entries()) if (i % 2 === kill % 2) reader.drop();
        workers.kill();
      }
      publishing = false;
      await Promise.all(publishers);
      const owed = readers.map(({ topics }) => idsOn(acknowledged, topics).length);
      await until('all read', () => readers.every(({ seen }, i) => seen.length >= (owed[i] ?? 0)));
      judge(readers, acknowledged, workers.killed);
      const received = readers.reduce((sum, { seen }) => sum + seen.length, 0);
      console.log(
        `killed ${kills} of 3 workers: ${acknowledged.size} events acknowledged, ${READERS} readers received ` +
          `${received}: 0 lost, 0 twice, 0 gaps`,
      );
    },
  );

  test('let a client change its topics through any of them', async () => {
    const workers = await startWorkers(2);
    const answers: { readonly method: string; readonly status: number }[] = [];
    const client = connect(workers.url, {
      topics: ['a'],
      retry: { base: 10, max: 50 },
      fetch: async (url, init) => {
        const response = await fetch(url, init);
        answers.push({ method: init.method ?? 'GET', status: response.status });
        return response;
      },
    });
    onTestFinished(() => client.close());
    const seen: unknown[] = [];
    const gaps: unknown[] = [];
    client.on('message', (event) => void seen.push(event.json()));
    client.onGap((gap) => void gaps.push(gap));
    await until('client is open', () => client.status === 'open');
    let count = 0;
    const publishOn = async (topic: string): Promise<void> => {
      count += 1;
      const event = { topics: topic, data: count, id: String(count) };
      await untilAsync('it is acknowledged', () => post(workers.url, [event]));
    };
    for (let round = 0; !isMissed(answers); round += 1) {
      expect(round, 'rounds until another process was asked').toBeLessThan(30);
      await publishOn('a');
      await client.subscribe(`round/${round}`);
      // Three requests in all, as they go to the two processes in turns.
      await publishOn(`round/${round}`);
    }
    await until('all is read', () => seen.length >= count);
    expect(seen).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    expect(gaps).toEqual([]);
  });
});

/** A change reached a process that doesn't have the connection, and the client connected anew. */
function isMissed(answers: readonly { readonly method: string; readonly status: number }[]): boolean {
  const missed = answers.findIndex(({ method, status }) => method === 'POST' && status === 404);
  return missed !== -1 && answers.slice(missed).some(({ method }) => method === 'GET');
}

function judge(
  readers: readonly Reader[],
  acknowledged: ReadonlyMap<string, string>,
  killed: ReadonlySet<number>,
): void {
  const [first] = readers;
  const seqs = new Map(first?.seen.map(({ id, seq }) => [id, seq]));
  const served = new Set<number>();
  for (const { topics, seen, gaps, cutBy, workers } of readers) {
    expect(gaps, 'gap notices').toEqual([]);
    const numbers = seen.map(({ seq }) => seq);
    expect(numbers, 'in order, none twice').toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(seen.map(({ id }) => id).sort(), 'exactly what was acknowledged').toEqual(
      idsOn(acknowledged, topics).sort(),
    );
    for (const { id, seq } of seen) expect(seq, `the place of ${id}`).toBe(seqs.get(id));
    expect(
      cutBy.filter((pid) => !killed.has(pid)),
      'processes that cut a stream although nobody killed them',
    ).toEqual([]);
    for (const pid of workers) served.add(pid);
  }
  expect(served.size, 'processes that served streams').toBeGreaterThan(3);
}

function idsOn(acknowledged: ReadonlyMap<string, string>, topics: readonly string[]): string[] {
  return [...acknowledged].filter(([, topic]) => topics.includes(topic)).map(([id]) => id);
}

/** Whether a call that was not answered has appended is unknown: by their ids, its events are there once. */
async function publishUntilAcknowledged(
  url: string,
  batch: string,
  acknowledged: Map<string, string>,
): Promise<void> {
  const events = Array.from({ length: 1 + (batch.length % 3) }, (_, index) => {
    const id = `${batch}-${index}`;
    return { topics: TOPICS[index % TOPICS.length] ?? 'a', data: { id }, id };
  });
  for (let tries = 0; tries < 500; tries += 1) {
    if (await post(url, events)) {
      for (const { id, topics } of events) acknowledged.set(id, topics);
      return;
    }
    await new Promise((resolve) => void setTimeout(resolve, 10));
  }
  throw new Error(`nobody took ${batch}`);
}

/** Milliseconds. A connection on its way to a worker that is killed just then is left open by Node's primary. */
const GIVE_UP = 2000;

/** @returns whether it was acknowledged. */
function post(url: string, events: unknown): Promise<boolean> {
  return new Promise((resolve) => {
    // On a connection of its own, which any of the processes may get.
    const outgoing = request(`${url}publish`, { method: 'POST', agent: false, timeout: GIVE_UP });
    outgoing.on('response', (response) => {
      response.on('error', () => resolve(false)).on('end', () => resolve(response.statusCode === 201));
      response.resume();
    });
    outgoing.on('timeout', () => outgoing.destroy()).on('error', () => resolve(false));
    outgoing.end(JSON.stringify(events));
  });
}

async function startWorkers(count: number): Promise<Workers> {
  const path = mkdtempSync(join(tmpdir(), 'tidings-workers-'));
  const port = await freePort();
  const script = fileURLToPath(new URL('workers.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, path, String(port), String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pids: number[] = [];
  const killed = new Set<number>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    pids.push((JSON.parse(line) as { pid: number }).pid);
  });
  onTestFinished(async () => {
    await end(child);
    rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  });
  await until('all workers listen', () => pids.length === count);
  return {
    url: `http://127.0.0.1:${port}/`,
    pids,
    killed,
    kill() {
      const [pid = 0] = pids.splice(Math.floor(Math.random() * pids.length), 1);
      killed.add(pid);
      process.kill(pid, 'SIGKILL');
    },
  };
}

/** Workers end when the primary is gone. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
