import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answerTo } from './answer.ts';
import { createModel } from './completions.ts';

const { app, stats } = createModel();
const server = app.listen(0, '127.0.0.1');
let url = '';

beforeAll(async () => {
  if (!server.listening) await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const messages = [{ role: 'user', content: 'Tide?' }];
const post = (body: object): Promise<Response> =>
  fetch(`${url}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

interface Completion {
  readonly object: string;
  readonly choices: readonly {
    readonly message: { readonly content: string };
    readonly finish_reason: string;
  }[];
}

test('a streamed answer and a whole one are the same', async () => {
  const whole = (await (await post({ model: 'tide-fast', messages })).json()) as Completion;
  expect(whole).toMatchObject({ object: 'chat.completion', choices: [{ finish_reason: 'stop' }] });
  expect(whole.choices[0]?.message.content).toBe(answerTo(messages));
  const lines = (await (await post({ model: 'tide-fast', stream: true, messages })).text()).split('\n\n');
  expect(lines.slice(-2)).toEqual(['data: [DONE]', '']);
  const text = lines
    .slice(0, -2)
    .map((line) => JSON.parse(line.slice('data: '.length)) as { choices: [{ delta: { content?: string } }] })
    .map(({ choices: [{ delta }] }) => delta.content ?? '')
    .join('');
  expect(text).toBe(answerTo(messages));
});

test('a flaky model breaks off, and what it is asked wrongly it refuses', async () => {
  await expect(
    post({ model: 'tide-flaky', stream: true, messages }).then((answer) => answer.text()),
  ).rejects.toThrow();
  expect((await post({ model: 'gpt', messages })).status).toBe(404);
  const refused = await post({ model: 'tide', messages: [] });
  expect([refused.status, ((await refused.json()) as { error: { type: string } }).error.type]).toEqual([
    400,
    'invalid_request_error',
  ]);
  expect(Object.values(stats()).map(({ left }) => left)).toEqual(Object.keys(stats()).map(() => 0));
});
