import { createContext, runInContext } from 'node:vm';
import { beforeEach, expect, test } from 'vitest';
import { embedScript } from './embed.ts';

/** The parts of a browser that the script uses. */
interface FakePage {
  opened: FakeEventSource[];
  listeners: Map<string, (event: { persisted: boolean }) => void>;
  timers: (() => void)[];
  storage: Map<string, string>;
}

interface FakeEventSource {
  url: URL;
  readyState: number;
  onerror?: () => void;
}

let page: FakePage;
beforeEach(() => {
  page = { opened: [], listeners: new Map(), timers: [], storage: new Map() };
});

function load(storage: unknown = storageOf(page.storage)): FakePage {
  class EventSource implements FakeEventSource {
    static readonly CLOSED = 2;
    readonly url: URL;
    readyState = 0;
    constructor(url: string) {
      this.url = new URL(url);
      page.opened.push(this);
    }
    close(): void {
      this.readyState = EventSource.CLOSED;
    }
  }
  const globals = {
    URL,
    EventSource,
    crypto,
    localStorage: storage,
    location: { pathname: '/cart' },
    document: { currentScript: { src: 'https://live.example/embed.js?v=1' } },
    addEventListener: (type: string, listener: () => void) => page.listeners.set(type, listener),
    setTimeout: (task: () => void) => page.timers.push(task),
    clearTimeout: () => undefined,
  };
  runInContext(embedScript, createContext({ ...globals, window: globals }));
  return page;
}

function storageOf(items: Map<string, string>): unknown {
  return {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => items.set(key, value),
  };
}

const param = (source: FakeEventSource | undefined, name: string): string =>
  source?.url.searchParams.get(name) ?? '';

test('connects to the server it was loaded from, with the page, the view and the visitor', () => {
  const [source] = load().opened;
  expect(source?.url.origin + (source?.url.pathname ?? '')).toBe('https://live.example/count');
  expect(param(source, 'page')).toBe('/cart');
  expect(param(source, 'view')).toMatch(/^[0-9a-f]{32}$/);
  expect(param(source, 'visitor')).toMatch(/^[0-9a-f]{32}$/);
});

test('another load is another view of the same visitor', () => {
  load();
  const [one, two] = load().opened;
  expect(param(two, 'visitor')).toBe(param(one, 'visitor'));
  expect(param(two, 'view')).not.toBe(param(one, 'view'));
});

test('counts without storage, too', () => {
  const locked = {
    getItem() {
      throw new Error('denied');
    },
  };
  expect(param(load(locked).opened[0], 'visitor')).toMatch(/^[0-9a-f]{32}$/);
});

test('closes with the page, and comes back with it', () => {
  load();
  page.listeners.get('pagehide')?.({ persisted: true });
  expect(page.opened[0]?.readyState).toBe(2);
  page.listeners.get('pageshow')?.({ persisted: false });
  expect(page.opened).toHaveLength(1);
  page.listeners.get('pageshow')?.({ persisted: true });
  expect(param(page.opened[1], 'view')).toBe(param(page.opened[0], 'view'));
});

test('comes back by itself after a refusal, but leaves a lost connection to the browser', () => {
  load();
  page.opened[0]?.onerror?.();
  expect(page.timers).toHaveLength(0);
  Object.assign(page.opened[0] ?? {}, { readyState: 2 });
  page.opened[0]?.onerror?.();
  page.timers[0]?.();
  expect(page.opened).toHaveLength(2);
});
