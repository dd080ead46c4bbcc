/**
 * Workers that share a port and a log, as in docs/guides/several-processes.md. Arguments: `workers=N`, `lmdb=PATH`. The
 * primary takes the commands and hands them on.
 */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHub } from 'tidings';
import { lmdbLog } from 'tidings/lmdb';
import { sse } from 'tidings/node';
import { type Answer, type Command, type Handlers, answer, answerCommands } from '../harness/commands.ts';
import { type Pace, createPublisher } from '../harness/publisher.ts';

function argument(name: string): string {
  const found = process.argv.find((arg) => arg.startsWith(`${name}=`));
  if (found === undefined) throw new Error(`The argument ${name}= is missing.`);
  return found.slice(name.length + 1);
}

function startPrimary(): void {
  const workers = Array.from({ length: Number(argument('workers')) }, () => cluster.fork());
  const listening = Promise.all(workers.map((worker) => once(worker, 'listening')));
  cluster.on('exit', ({ id }, code, signal) => {
    console.error(`worker ${id} ended with ${signal ?? code}`);
    process.exit(1);
  });

  function connections(): Promise<number[]> {
    return Promise.all(workers.map((worker) => ask<number>(worker, 'connections')));
  }

  answerCommands({
    async listen() {
      const [[{ port }]] = (await listening) as [[AddressInfo]];
      return { port };
    },
    connections: async () => (await connections()).reduce((total, count) => total + count, 0),
    busiest: async () => Math.max(...(await connections())),
    /** In the worker with the fewest connections: if there is only one connection, in another than has it. */
    async publish(pace: Pace) {
      const counts = await connections();
      const worker = workers[counts.indexOf(Math.min(...counts))];
      return worker && ask(worker, 'publish', pace);
    },
  });
}

let nextId = 1;

function ask<Result>(worker: Worker, name: string, args: unknown = {}): Promise<Result> {
  const id = nextId;
  nextId += 1;
  worker.send({ id, name, args } satisfies Command);
  return new Promise((resolve, reject) => {
    worker.on('message', function take({ id: answered, result, error }: Answer) {
      if (answered !== id) return;
      worker.off('message', take);
      if (error === undefined) resolve(result as Result);
      else reject(new Error(error));
    });
  });
}

function startWorker(): void {
  const hub = createHub({ log: lmdbLog({ path: argument('lmdb'), shared: true }) });
  const handlers: Handlers = {
    connections: () => hub.stats().live,
    publish: createPublisher((data) => hub.publish('bench', data, { raw: true })),
  };
  const say = (reply: Answer): void => void process.send?.(reply);
  process.on('message', (command: Command) => void answer(handlers, command).then(say));
  createServer(sse(hub)).listen(0, '127.0.0.1');
}

if (cluster.isPrimary) startPrimary();
else startWorker();
