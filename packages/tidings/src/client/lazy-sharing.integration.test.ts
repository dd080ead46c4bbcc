import { expect, it, onTestFinished, vi } from 'vitest';
import { createFakeBrowser } from '../../test/client/fake-browser.ts';
import { until } from '../../test/http/deadline.ts';
import { startHub } from '../../test/http/hub.ts';
import { sse } from '../fetch/index.ts';
import { connect } from './index.ts';

// As after a deployment that has removed the file from the server.
vi.mock('./sharing.ts', () => {
  throw new Error('404');
});

it('A client that cannot load the code for sharing has a stream of its own', async () => {
  const rejections: unknown[] = [];
  const note = (reason: unknown): void => void rejections.push(reason);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  const hub = startHub();
  const handle = sse(hub);
  const browser = createFakeBrowser(
    (url: string, init: RequestInit) => handle(new Request(url, init)),
    1,
    () => 1,
  );
  const tab = browser.openTab();
  const client = connect('/events', {
    shared: { environment: tab.shared },
    environment: tab.environment,
    timers: tab.timers,
    fetch: tab.fetch,
    topics: ['a'],
  });
  onTestFinished(() => client.close());
  const data: unknown[] = [];
  const errors: string[] = [];
  client.on('message', (event) => data.push(event.json()));
  client.onError(({ code }) => errors.push(code));
  await until('open', () => client.status === 'open' || errors.length > 0);
  expect(errors).toEqual([]);

  await client.subscribe('b');
  await client.subscribe('b');
  await client.unsubscribe('b');
  await hub.publish('a', 1);
  await hub.publish('b', 2);
  await until('events', () => data.length === 2);
  await client.unsubscribe('b');
  await hub.publish('b', 3);
  await hub.publish('a', 4);
  await until('last event', () => data.includes(4));
  expect(data).toEqual([1, 2, 4]);
  client.pause();
  client.close();
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(rejections).toEqual([]);
});
