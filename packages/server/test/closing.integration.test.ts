/** How a server ends, and how connections end, whatever their peers do. */
import { afterEach, expect, test } from 'vitest';
import { until, within } from '../../tidings/test/http/deadline.ts';
import { RawClient } from '../../tidings/test/http/raw-client.ts';
import { ADMIN_TOKEN, type InProcess, startInProcess } from './in-process.ts';

let server: InProcess;
afterEach(() => server.close());

const portOf = (url: string): number => Number(new URL(url).port);
const HEAD = 'POST /v1/publish HTTP/1.1\r\nHost: x\r\n';

test.each([
  ['nothing', ''],
  ['half a head', HEAD],
  ['half a body', `${HEAD}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{`],
  ['no HTTP', 'nonsense\r\n\r\n'],
])('a server that ends does not wait for a peer that has sent %s', async (_, bytes) => {
  server = await startInProcess({ 'shutdown.within': '100ms' });
  const client = await RawClient.connect(portOf(server.publicUrl), { allowHalfOpen: true });
  const internal = await RawClient.connect(portOf(server.internalUrl), { allowHalfOpen: true });
  for (const each of [client, internal]) each.send(bytes).read();
  // The server has read all of it once it has answered somebody who came later.
  await fetch(`${server.publicUrl}/openapi.json`);
  await within('end of the server', server.close());
});

test('a server that ends does not wait for an operator’s tail that nobody reads', async () => {
  server = await startInProcess({ 'shutdown.within': '100ms' });
  const tail = await RawClient.connect(portOf(server.internalUrl));
  tail.get('/admin/v1/tail?rate=10000', { authorization: `Bearer ${ADMIN_TOKEN}` });
  await server.publish({ topics: 'a', data: 1 });
  const events = Array.from({ length: 50 }, () => ({ topics: 'a', data: 'x'.repeat(16_000) }));
  for (let i = 0; i < 20; i += 1) expect((await server.publish(events)).status).toBe(200);
  await within('end of the server', server.close());
});

test('a peer whose request is no HTTP reads why, and is cut off even if it never hangs up', async () => {
  server = await startInProcess();
  const client = await RawClient.connect(portOf(server.publicUrl), { allowHalfOpen: true });
  client.send('nonsense\r\n\r\n').read();
  await until('answer', () => client.text !== '');
  expect(client.text.slice(0, 12)).toBe('HTTP/1.1 400');
  // Bytes to a closed connection come back as a reset.
  const timer = setInterval(() => client.socket.writable && client.socket.write('x'), 50);
  await within('reset', client.closed()).finally(() => clearInterval(timer));
});
