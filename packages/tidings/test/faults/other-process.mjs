// Another process with an LMDB log open. Takes what to do over IPC, and says what came of it.
import { lmdbLog } from 'tidings/lmdb';

let log;

async function perform({ open, append, close }) {
  if (open !== undefined) log = lmdbLog(open);
  if (append !== undefined) await log.append(append);
  if (close === true) await log.close();
  return { head: log.tail.head };
}

process.on('message', (command) => {
  perform(command)
    .catch(({ code, details }) => ({ code, details }))
    .then((answer) => process.send(answer));
});
process.send({});
