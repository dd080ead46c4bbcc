// Another process with an LMDB log open. Takes commands over IPC, and answers with their results.
import { lmdbLog } from 'tidings/lmdb';

let log;

async function perform({ open, append, close }) {
  if (open !== undefined) log = lmdbLog(open);
  if (append !== undefined) await log.append(append);
  if (close === true) await log.close();
  return { head: log.tail.head };
}

async function answer(command) {
  try {
    process.send(await perform(command));
  } catch ({ code, details }) {
    process.send({ code, details });
  }
}

process.on('message', (command) => void answer(command));
process.send({});
