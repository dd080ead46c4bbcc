import { createInterface } from 'node:readline';

/** A command comes as a line of JSON, `{"id":1,"name":"publish","args":{…}}`; its answer goes back as one. */
export interface Command {
  readonly id: number;
  readonly name: string;
  readonly args: unknown;
}

export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

// oxlint-disable-next-line typescript/no-explicit-any -- each handler knows its own arguments
export type Handlers = Record<string, (args: any) => unknown>;

/** The other end of `startChild`, for child processes in Node: answers commands until there are no more. */
export function answerCommands(handlers: Handlers): void {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => void answer(handlers, JSON.parse(line) as Command).then(say));
  // The parent process is gone, or wants this one to end.
  lines.on('close', () => process.exit());

  function say(reply: Answer): void {
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  }
}

export async function answer(handlers: Handlers, { id, name, args }: Command): Promise<Answer> {
  try {
    const handler = handlers[name];
    if (handler === undefined) throw new Error(`no command "${name}"`);
    const result: unknown = await handler(args);
    return { id, result };
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

/** Leaves only objects in use to be counted. Twice, since the first run's finalizers free more. */
export function collectGarbage(): { heapUsed: number } {
  if (gc === undefined) throw new Error('Start this process with --expose-gc.');
  gc();
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return { heapUsed: heapUsed + external };
}
