import { closeSync, futimesSync, openSync, watch } from 'node:fs';
import { join } from 'node:path';

/** Notifies the processes that share a log of appends. */
export interface WakeUps {
  /** After a commit. */
  send(): void;
  close(): void;
}

/** A file that is touched after each commit. */
const FILE = 'appended';
/** Milliseconds. A process that dies right after its commit touches nothing, and not every system reports touches. */
const LOOK_EVERY = 1000;
/** Every so many looks, dead processes are looked for: one killed while it reads keeps LMDB from reusing space. */
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
        // The others find the events when they look by themselves.
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
