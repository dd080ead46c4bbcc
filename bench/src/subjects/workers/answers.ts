/**
 * A server that streams answers of models. `POST /N` begins answer N and streams it, `GET /N` follows it. Arguments:
 * `kind=`, and `url=` or `path=` of its engine. Each token is `~` and some letters, countable however
 * they are grouped.
 */
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@redis/client';
import { createResumableStreamContext } from 'resumable-stream/generic';
import { type EventLog, createHub, memoryLog } from 'tidings';
import { createRuns, rawChunks } from 'tidings/ai';
import { lmdbLog } from 'tidings/lmdb';
import { redisLog } from 'tidings/redis';
import { answerCommands, collectGarbage } from '../../harness/commands.ts';

/** How the model writes. Durations in milliseconds. */
export interface Manner {
  readonly tokens: number;
  readonly interval: number;
  /** Until the first token. */
  readonly thinks: number;
  /** Whether the answers stay unfinished until `finish`. */
  readonly holds: boolean;
}

interface Answers {
  begin(name: string, request: IncomingMessage, response: ServerResponse): Promise<void>;
  follow(name: string, request: IncomingMessage, response: ServerResponse): Promise<void>;
}

let manner: Manner = { tokens: 1, interval: 0, thinks: 0, holds: false };
let release = (): void => {};
let released: Promise<void> = Promise.resolve();

async function* model(): AsyncGenerator<{ type: string; id: string; delta: string }> {
  const { tokens, interval, thinks, holds } = manner;
  if (thinks > 0) await sleep(thinks);
  let due = performance.now();
  for (let i = 0; i < tokens; i += 1) {
    yield { type: 'text-delta', id: '1', delta: i === 0 ? `~${process.hrtime.bigint()} ` : '~tide ' };
    due += interval;
    if (i < tokens - 1) await sleep(Math.max(0, due - performance.now()));
  }
  if (holds) await released;
}

const HEAD = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' };
const frameOf = (chunk: object): string => `data: ${JSON.stringify(chunk)}\n\n`;

/** The loop that everybody writes by hand, with what was written so far for those who come later. */
function bare(): Answers {
  const running = new Map<string, { text: string; readonly viewers: Set<ServerResponse> }>();
  return {
    async begin(name, _request, response) {
      const answer = { text: '', viewers: new Set([response]) };
      running.set(name, answer);
      response.writeHead(200, HEAD);
      for await (const chunk of model()) {
        const frame = frameOf(chunk);
        answer.text += frame;
        for (const viewer of answer.viewers) viewer.write(frame);
      }
      running.delete(name);
      for (const viewer of answer.viewers) viewer.end();
    },
    async follow(name, _request, response) {
      const answer = running.get(name);
      response.writeHead(answer === undefined ? 204 : 200, HEAD);
      if (answer === undefined) return void response.end();
      answer.viewers.add(response);
      response.write(answer.text);
    },
  };
}

async function resumable(url: string): Promise<Answers> {
  const client = createClient({ url });
  const [publisher, subscriber] = [client, client.duplicate()];
  await Promise.all([publisher.connect(), subscriber.connect()]);
  const context = createResumableStreamContext({
    waitUntil: null,
    publisher,
    subscriber,
  });
  async function pipe(
    stream: ReadableStream<string> | null | undefined,
    response: ServerResponse,
  ): Promise<void> {
    response.writeHead(200, HEAD);
    if (stream) for await (const text of stream as unknown as AsyncIterable<string>) response.write(text);
    response.end();
  }
  return {
    async begin(name, _request, response) {
      const make = (): ReadableStream<string> => {
        const chunks = model();
        return new ReadableStream<string>({
          async pull(controller) {
            const { done, value } = await chunks.next();
            if (done === true) controller.close();
            else controller.enqueue(frameOf(value));
          },
        });
      };
      await pipe(await context.createNewResumableStream(name, make), response);
    },
    follow: async (name, _request, response) => pipe(await context.resumeExistingStream(name), response),
  };
}

function tidings(log: EventLog): Answers {
  // Answers are read to their ends, and no measurement waits until they expire.
  const runs = createRuns(createHub({ log }), { keep: 60_000 });
  return {
    async begin(name, request, response) {
      const run = await runs.start({ chat: name, id: '1' }, model);
      await run.pipe(request, response, rawChunks);
    },
    async follow(name, request, response) {
      const run = await runs.find(name);
      if (run === undefined) return void response.writeHead(204).end();
      await run.pipe(request, response, rawChunks);
    },
  };
}

function argument(name: string): string {
  return process.argv.find((arg) => arg.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
}

async function create(): Promise<Answers> {
  const [kind, url, path] = ['kind', 'url', 'path'].map(argument) as [string, string, string];
  if (kind === 'bare') return bare();
  if (kind === 'resumable-stream') return resumable(url);
  return tidings(
    kind === 'lmdb' ? lmdbLog({ path }) : kind === 'redis' ? await redisLog({ url }) : memoryLog(),
  );
}

async function listen(): Promise<{ port: number }> {
  const answers = await create();
  const server = createServer((request, response) => {
    const name = (request.url ?? '/').slice(1);
    const work = request.method === 'POST' ? answers.begin : answers.follow;
    work(name, request, response).catch((error: unknown) => {
      console.error(error);
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 8192, resolve));
  return { port: (server.address() as AddressInfo).port };
}

answerCommands({
  listen,
  write(given: Manner) {
    manner = given;
    released = new Promise((resolve) => (release = resolve));
  },
  finish: () => release(),
  collectGarbage,
});
