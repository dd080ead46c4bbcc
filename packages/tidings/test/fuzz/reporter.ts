import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createTurnWatch } from './turns.ts';

/** The report of a server under attack on how it is. */
export interface Report {
  /** Milliseconds. */
  readonly longestTurn: number;
  /** Bytes that live after garbage was collected, in the heap and outside of it. */
  readonly memory: number;
  readonly connections: number;
  /** Errors that nobody caught, and those that the server itself reported. */
  readonly failures: readonly string[];
}

export interface Reported {
  connections(): number | Promise<number>;
  /** Afterwards, nothing may hold the process up. */
  stop(): Promise<void>;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const failures: string[] = [];

/** Takes failures of a kind for the next report. */
export const note = (kind: string) => (error: unknown) =>
  void failures.push(`${kind}: ${error instanceof Error ? error.stack : String(error)}`);

process.on('unhandledRejection', note('unhandled rejection'));
process.on('uncaughtException', note('uncaught exception'));
process.on('warning', note('warning'));

/** Answers the process that attacks this one, until that wants it to stop. */
export function answerReports({ connections, stop }: Reported): void {
  const watch = createTurnWatch();
  watch.start();

  async function report(): Promise<Report> {
    const longestTurn = watch.stop();
    // Peers have left; their ends arrive in turns of their own.
    for (let i = 0; i < 500 && (await connections()) > 0; i += 1) await pause(10);
    await pause(50);
    for (let i = 0; i < 3; i += 1) {
      collectGarbage();
      await new Promise(setImmediate);
    }
    const { heapUsed, external } = process.memoryUsage();
    const answer = {
      longestTurn,
      memory: heapUsed + external,
      connections: await connections(),
      failures: failures.splice(0),
    };
    watch.start();
    return answer;
  }

  async function end(): Promise<void> {
    watch.stop();
    await stop();
    process.disconnect();
  }

  process.on('message', (message) => {
    if (message === 'stop') return void end();
    void report().then((answer) => process.send?.(answer));
  });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
