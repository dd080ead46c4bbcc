import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { createModel, type ModelStats } from '../examples/chat/src/model/completions.ts';

/** The model that the chat example brings along, as a provider: tests can keep its answers from coming to an end. */
export interface HeldModel {
  /** For `OPENAI_BASE_URL`. */
  readonly url: string;
  /** How many answers a model began, and how many it was asked to stop. */
  stats(model: string): ModelStats;
  /** Until the returned function is called, or the test ends, the last word of no answer comes. */
  hold(): () => void;
  /** Answers that lack nothing but their last word. */
  waiting(): number;
  close(): void;
}

export async function startModel(): Promise<HeldModel> {
  const { app, stats } = createModel();
  let released = Promise.resolve();
  let waiting = 0;
  const server: Server = createServer((request, response) => {
    holdEnd(response, async () => {
      waiting += 1;
      await released;
      waiting -= 1;
    });
    (app as RequestListener)(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    stats: (model) => stats()[model] as ModelStats,
    hold() {
      let release = (): void => undefined;
      released = new Promise((resolve) => (release = resolve));
      onTestFinished(release);
      return release;
    },
    waiting: () => waiting,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

type Response = Parameters<RequestListener>[1];

/** Keeps the newest word back until the next one comes, and the last word and the end until `released` says so. */
function holdEnd(response: Response, released: () => Promise<void>): void {
  const [write, end] = [response.write.bind(response), response.end.bind(response)];
  const kept: string[] = [];
  const pass = (): void => {
    for (const chunk of kept.splice(0)) write(chunk);
  };
  response.write = ((chunk: string) => {
    if (!chunk.includes('"finish_reason":"stop"')) pass();
    kept.push(chunk);
    return true;
  }) as typeof write;
  response.end = ((...given: Parameters<typeof end>) => {
    void released().then(() => {
      pass();
      end(...given);
    });
    return response;
  }) as typeof end;
}
