import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createHub } from 'tidings';
import { expect, test, vi } from 'vitest';
import { manualClock } from '../testing/clock.ts';
import { metrics } from './metrics.ts';

test('the figures are read once a second for any number of requests', async () => {
  const clock = manualClock();
  const hub = createHub();
  const reads = vi.spyOn(hub, 'health');
  const app = express();
  app.get('/', metrics(hub, clock, { posts: () => 7, pageViews: () => 8 }));
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ask = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text();

  const texts = await Promise.all(Array.from({ length: 20 }, ask));
  expect(reads).toHaveBeenCalledTimes(1);
  for (const text of texts) expect(text).toMatch(/^live_posts 7$/m);
  clock.advance(1000);
  await ask();
  expect(reads).toHaveBeenCalledTimes(2);
  // The clock is set back by an hour: nobody gets old figures for as long.
  clock.sleep(-3_600_000);
  await ask();
  expect(reads).toHaveBeenCalledTimes(3);
  await new Promise((resolve) => server.close(resolve));
  await hub.close();
});
