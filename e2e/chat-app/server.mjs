// A chat on Express with the AI SDK, in a process of its own, to be killed. Arguments: port, folder.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import express from 'express';
import * as ai5 from 'ai5';
import * as ai6 from 'ai6';
import { createHub } from 'tidings';
import { createRuns, uiMessages } from 'tidings/ai';
import { lmdbLog } from 'tidings/lmdb';
import { model } from './model.mjs';
import { mountPorts } from './ports.mjs';

const [port = '', folder = ''] = process.argv.slice(2);
const hub = createHub({ log: lmdbLog({ path: join(folder, 'log') }) });
const database = join(folder, 'chats.json');
/** @type {Record<string, { id: string, role: string, parts: object[] }[]>} */
const chats = existsSync(database) ? JSON.parse(readFileSync(database, 'utf8')) : {};
/** By chat. @type {Map<string, { started: number, saved: number, aborted: number }>} */
const stats = new Map();
const statsOf = (chat) => {
  if (!stats.has(chat)) stats.set(chat, { started: 0, saved: 0, aborted: 0 });
  return stats.get(chat);
};

const runs = createRuns(hub, {
  lease: 2000,
  authorize: () => true,
  onEnd({ chat, messageId, text, status }) {
    statsOf(chat).saved += 1;
    save(chat, { id: messageId, role: 'assistant', parts: [{ type: 'text', text }], metadata: { status } });
  },
});

function save(chat, message) {
  const messages = (chats[chat] ??= []);
  if (!messages.some(({ id }) => id === message.id)) messages.push(message);
  writeFileSync(database, JSON.stringify(chats));
}

const app = express();
app.use('/app', express.static(join(folder, 'page')));
app.get('/stats/:chat', (req, res) => res.json(statsOf(req.params.chat)));
app.get('/', (_req, res) => {
  res.send(
    '<!doctype html><meta charset="utf-8"><title>Chat</title><link rel="icon" href="data:,"><div id="root"></div>',
  );
});
app.get('/chat/:page/:chat', (_req, res) => {
  res.send(
    '<!doctype html><meta charset="utf-8"><title>Chat</title><link rel="icon" href="data:,"><div id="root"></div>' +
      `<script type="module" src="/app/${_req.params.page}.js"></script>`,
  );
});
/** By chat: lets an answer that is held come to its end. @type {Map<string, { promise: Promise<void>, resolve: () => void }>} */
const releases = new Map();
const releaseOf = (chat) => {
  if (!releases.has(chat)) {
    let resolve = () => {};
    const promise = new Promise((settle) => (resolve = settle));
    releases.set(chat, { promise, resolve });
  }
  return releases.get(chat);
};
app.post('/release/:chat', (req, res) => {
  releaseOf(req.params.chat).resolve();
  res.end();
});
mountPorts(app, hub, statsOf, (chat) => releaseOf(chat).promise);
app.get('/api/chat/:chat/messages', (req, res) => res.json(chats[req.params.chat] ?? []));
app.post('/api/chat', express.json({ limit: '10mb' }), async (req, res) => {
  const { id: chat, messages, version, length, pause, held, trigger, messageId } = req.body;
  const last = messages.at(-1);
  save(chat, last);
  const question = last.parts.map((part) => part.text ?? '').join('');
  const run = await runs.start({ chat, id: `${trigger}:${messageId ?? last.id}` }, (signal) => {
    statsOf(chat).started += 1;
    const onAbort = () => (statsOf(chat).aborted += 1);
    const released = held ? releaseOf(chat).promise : undefined;
    const options = {
      model: model(version, { question, length, pause, onAbort, released }),
      prompt: question,
      abortSignal: signal,
      onError: () => {},
    };
    return (version === 5 ? ai5 : ai6).streamText(options).toUIMessageStream();
  });
  await run.pipe(req, res, uiMessages);
});
app.get('/api/chat/:chat/stream', runs.follow(uiMessages));
app.post('/api/chat/:chat/stop', runs.stop());
app.listen(Number(port), '127.0.0.1', () => console.log('listening'));
