import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { StoredMessage } from '../shared/api.ts';
import { type Ask, type Chats, openChats } from './chats.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function start(): Promise<Chats> {
  const path = await mkdtemp(join(tmpdir(), 'chats-'));
  closers.push(() => rm(path, { recursive: true, force: true }));
  const chats = openChats(path);
  closers.push(() => chats.close());
  return chats;
}

const message = (id: string, role: StoredMessage['role'], text: string): StoredMessage => ({
  id,
  role,
  parts: [{ type: 'text', text }],
});
const ask = (run: string, question: StoredMessage): Ask => ({
  chat: 'c',
  person: 'ann',
  run,
  question,
  now: 1,
});
const idsOf = (chats: Chats): string[] => chats.page('c').messages.map(({ id }) => id);

test('a question that is sent again is stored once, and another one waits for the answer', async () => {
  const chats = await start();
  const first = ask('r1', message('q1', 'user', ' Why \n the tide? '));
  expect(await chats.ask(first)).toMatchObject({
    chat: { title: 'Why the tide?', status: 'running', revision: 1 },
  });
  expect(await chats.ask(first)).toMatchObject({ chat: { revision: 1 }, messages: [{ id: 'q1' }] });
  expect(await chats.ask(ask('r2', message('q2', 'user', 'And the moon?')))).toBeUndefined();
  expect(await chats.finish('c', 'r1', 'done', message('a1', 'assistant', 'So.'), 2)).toMatchObject({
    revision: 2,
  });
  // Called again after a crash.
  expect(await chats.finish('c', 'r1', 'done', message('a1', 'assistant', 'So.'), 2)).toBeUndefined();
  expect(await chats.ask(ask('r2', message('q2', 'user', 'And the moon?')))).toBeDefined();
  expect(idsOf(chats)).toEqual(['q1', 'a1', 'q2']);
});

test('a question that is answered once more loses what came after it', async () => {
  const chats = await start();
  for (const i of [1, 2]) {
    await chats.ask(ask(`r${i}`, message(`q${i}`, 'user', '?')));
    await chats.finish('c', `r${i}`, 'done', message(`a${i}`, 'assistant', '!'), 2);
  }
  const again = await chats.ask(ask('r3', message('q1', 'user', '?')));
  expect(again?.messages.map(({ id }) => id)).toEqual(['q1']);
  // An answer without a word isn't one.
  await chats.finish('c', 'r3', 'lost', message('a3', 'assistant', ''), 3);
  expect([idsOf(chats), chats.page('c').status]).toEqual([['q1'], 'lost']);
});

test('somebody who opens a chat gets every later change of it', async () => {
  const chats = await start();
  expect(await chats.join('c', 'bob')).toBeUndefined();
  await chats.ask(ask('r1', message('q1', 'user', '?')));
  expect((await chats.join('c', 'bob'))?.people).toEqual(['ann', 'bob']);
  expect(await chats.join('c', 'bob')).toBeUndefined();
});

test('what can’t be the id of a chat is none, however long it is', async () => {
  const chats = await start();
  const id = 'x'.repeat(5000);
  expect(chats.get(id)).toBeUndefined();
  expect(chats.page(id).messages).toEqual([]);
  expect(await chats.join(id, 'ann')).toBeUndefined();
});
