/** Starts the chat. Settings: see the README. */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createHub } from 'tidings';
import { lmdbLog } from 'tidings/lmdb';
import { createAnnouncer, createAnswers, recover } from './answers.ts';
import { createApp } from './app.ts';
import { openChats } from './chats.ts';
import { startAnswers } from './provider.ts';
import { readSettings } from './settings.ts';

const { host, port, data, provider } = readSettings(process.env);
mkdirSync(data, { recursive: true });
const hub = createHub({
  log: lmdbLog({
    path: join(data, 'log'),
    topics: [{ match: { pattern: 'people/*' }, state: true, keys: 200 }],
  }),
});
const chats = openChats(join(data, 'chats'));
const answers = await startAnswers(provider);
const announce = createAnnouncer(hub);
const runs = createAnswers(hub, chats, announce);
await recover(runs, chats, announce);

const server = createApp({ hub, runs, chats, answers, announce }).listen(port, host);
await once(server, 'listening');
process.stdout.write(
  `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}\n`,
);

/** How long a running answer may go on when the server stops, in milliseconds. */
const PATIENCE = 3000;

async function stop(): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  await runs.close({ within: PATIENCE });
  await hub.close({ within: 1000 });
  server.closeAllConnections();
  answers.close();
  await closed;
  await chats.close();
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    stop().catch((error: unknown) => {
      console.error('chat:', error);
      process.exitCode = 1;
    });
  });
