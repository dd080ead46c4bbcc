import { closeSync, futimesSync, openSync, watch } from 'node:fs';
import { join } from 'node:path';

/** Tells the processes that share a log that something was appended. */
export interface WakeUps {
  /** After a commit. */
  send(): void;
  close(): void;
}

/** A file that is touched after each commit. */
const FILE = 'appended';
/** Milliseconds. A process that dies right after its commit touches nothing, and not every system tells of touches. */
const LOOK_EVERY = 1000;
/** Looks after which those that died are looked for: a process that is killed while it reads keeps LMDB from reusing space. */
const LOOKS_PER_CHECK = 10;

/**
 * Calls `wake` for each commit, of whatever process, or for several together; and now and then without any. Calls
 * `checkReaders` every ten seconds.
 */
export function openWakeUps(folder: string, wake: () => void, checkReaders: () => void): WakeUps {
  const path = join(folder, FILE);
  const file = openSync(path, 'a');
  const stopWatching = watchFile(path, wake);
  let looks = 0;
  const timer = setInterval(() => {
    looks += 1;
    if (looks % LOOKS_PER_CHECK === 0) checkReaders();
    wake();
  }, LOOK_EVERY).unref();
  return {
    send() {
      const now = Date.now() / 1000;
      try {
        futimesSync(file, now, now);
      } catch {
        // The others find what was appended when they look by themselves.
      }
    },
    close() {
      clearInterval(timer);
      stopWatching();
      closeSync(file);
    },
  };
}

/** Where files can't be watched, or no more of them, looking now and then has to do. */
function watchFile(path: string, wake: () => void): () => void {
  try {
    const watcher = watch(path, { persistent: false }, wake);
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {};
  }
}
