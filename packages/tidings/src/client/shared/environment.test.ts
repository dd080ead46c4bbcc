import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { webSharedEnvironment } from './environment.ts';

const denied = (): Promise<never> => Promise.reject(new DOMException('Denied.', 'SecurityError'));
const never = (): Promise<never> => new Promise(() => {});

class Channel {
  onmessage = null;
  postMessage(): void {}
  close(): void {}
}

/** A browser's globals, as far as they are there. */
function stub(locks: object | undefined, BroadcastChannel: unknown = Channel): void {
  vi.stubGlobal('navigator', { locks });
  vi.stubGlobal('BroadcastChannel', BroadcastChannel);
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('tabs can’t find each other', () => {
  it.each<[string, object | undefined, unknown]>([
    ['without locks, as on plain http:', undefined, Channel],
    ['without channels', { query: async () => ({}) }, undefined],
    ['where the page is denied locks', { query: denied }, Channel],
    [
      'where the page is denied channels',
      { query: async () => ({}) },
      class {
        constructor() {
          throw new DOMException('Denied.', 'SecurityError');
        }
      },
    ],
  ])('%s', async (_, locks, channel) => {
    stub(locks, channel);
    if (channel === undefined) vi.stubGlobal('BroadcastChannel', undefined);
    expect(await webSharedEnvironment()).toBeUndefined();
  });
});

it('a page that gets no answer about locks, as while it is prerendered, goes on after half a second', async () => {
  stub({ query: never });
  const environment = webSharedEnvironment();
  await vi.advanceTimersByTimeAsync(500);
  expect(await environment).toBeDefined();
});

it('tells a lock that was stolen from one that is denied', async () => {
  const hooks = { granted: vi.fn(), lost: vi.fn(), denied: vi.fn() };
  const calls = () => [hooks.lost, hooks.denied].map(({ mock }) => mock.calls.length);
  const request = vi.fn(denied);
  stub({ query: async () => ({}), request });
  const environment = await webSharedEnvironment();
  environment?.lock('a', false, hooks);
  await vi.advanceTimersByTimeAsync(1);
  expect([request.mock.calls.length, ...calls()]).toEqual([1, 0, 1]);
  request.mockImplementation(() => Promise.reject(new DOMException('Stolen.', 'AbortError')));
  environment?.lock('a', false, hooks);
  await vi.advanceTimersByTimeAsync(1);
  expect(calls()).toEqual([1, 1]);
});
