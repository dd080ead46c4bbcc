import { launch, until } from '../harness/child.ts';
import { makeFolder, removeFolder } from '../harness/folders.ts';
import { freePort } from '../harness/free-port.ts';
import { type Caller, createCaller } from '../harness/http.ts';
import { createPublisher } from '../harness/publisher.ts';
import type { Server, Subject } from '../harness/subject.ts';

/** A server that others wrote, or ours as a program: it gets its events by requests, the cost of which counts as its own. */
export interface Program {
  readonly name: string;
  readonly missing: string | undefined;
  /** Writes what it needs into an empty folder. */
  prepare(place: Place): Prepared;
}

export interface Place {
  readonly folder: string;
  readonly port: number;
  /** For metrics, say. */
  readonly internalPort: number;
}

export interface Prepared {
  readonly command: readonly [string, ...string[]];
  /** Where a stream of the benchmark's topic is. */
  readonly path: string;
  send(call: Caller['call'], data: string): Promise<unknown>;
  /** Undefined if it takes one event at a time. */
  readonly sendAll?: (call: Caller['call'], all: readonly string[]) => Promise<unknown>;
  /** How many streams there are. `internal` calls the internal port. Rejects as long as it isn't up. */
  connections(call: Caller['call'], internal: Caller['call']): Promise<number>;
}

export function programSubject(program: Program): Subject {
  return {
    name: program.name,
    missing: program.missing,
    async start() {
      const folder = makeFolder();
      try {
        return await startIn(folder, program);
      } catch (error) {
        removeFolder(folder);
        throw error;
      }
    },
  };
}

async function startIn(folder: string, { name, prepare }: Program): Promise<Server> {
  const place = { folder, port: await freePort(), internalPort: await freePort() };
  const { command, path, send, sendAll, connections } = prepare(place);
  const child = launch({ name, command, core: 'subject' });
  // A pipe that nobody reads would hold it up.
  child.process.stdout.resume();
  const { call, close } = createCaller(place.port);
  const internal = createCaller(place.internalPort);
  const count = (): Promise<number> => connections(call, internal.call);
  const publish = createPublisher((data) => send(call, data), sendAll && ((all) => sendAll(call, all)));
  try {
    await until(`${name} listens`, async () => {
      child.assertRunning();
      return await count().then(
        () => true,
        () => false,
      );
    });
  } catch (error) {
    await child.stop().catch(() => undefined);
    throw error;
  }
  return {
    pid: child.pid,
    port: place.port,
    path,
    connections: count,
    async publish(pace) {
      child.assertRunning();
      await publish(pace);
    },
    ask: () => Promise.reject(new Error(`${name} takes no commands`)),
    async stop() {
      close();
      internal.close();
      await child.stop();
      removeFolder(folder);
    },
  };
}
