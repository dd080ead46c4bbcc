import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import type { Post, SessionInfo, User } from '../examples/live/src/shared/api.ts';
import { DEADLINE } from '../scripts/deadline.ts';

export type VisitorOptions = Pick<
  BrowserContextOptions,
  'colorScheme' | 'hasTouch' | 'isMobile' | 'viewport'
>;

export interface Visitor {
  readonly context: BrowserContext;
  /** Errors thrown by scripts of any of its pages, and violations of the security policy. */
  readonly scriptErrors: readonly string[];
  /** Requests that failed, from a page's console. */
  readonly failedRequests: readonly string[];
  /** A new tab. */
  open(path: string): Promise<Page>;
  /** Signs up without a page: the cookie is there when one is opened. */
  signUp(name: string): Promise<User>;
  /** Posts without a page; resolves to the saved post. */
  post(text: string): Promise<Post>;
  /** @throws if the answer is no success */
  send<Answer>(method: string, path: string, data?: unknown): Promise<Answer>;
}

export const PASSWORD = 'correct horse battery';

export async function createVisitor(
  browser: Browser,
  origin: string,
  options: VisitorOptions = {},
): Promise<Visitor> {
  const context = await browser.newContext({
    baseURL: origin,
    locale: 'en-GB',
    timezoneId: 'UTC',
    viewport: { width: 1280, height: 800 },
    ...options,
  });
  context.setDefaultTimeout(DEADLINE);
  const scriptErrors: string[] = [];
  const failedRequests: string[] = [];
  context.on('weberror', (error) => scriptErrors.push(String(error.error())));
  context.on('console', (message) => {
    if (message.type() !== 'error') return;
    const text = `${message.text()} (${message.location().url})`;
    (text.startsWith('Failed to load resource') ? failedRequests : scriptErrors).push(text);
  });

  async function send<Answer>(method: string, path: string, data?: unknown): Promise<Answer> {
    // A connection kept alive may have died with a server that was restarted.
    const response = await context.request.fetch(path, { method, data, maxRetries: 2 });
    if (!response.ok()) throw new Error(`${method} ${path}: ${response.status()} ${await response.text()}`);
    // 204 has no body.
    return JSON.parse((await response.text()) || 'null');
  }

  return {
    context,
    scriptErrors,
    failedRequests,
    send,
    async open(path) {
      const page = await context.newPage();
      await page.goto(path);
      return page;
    },
    async signUp(name) {
      const { user } = await send<SessionInfo>('POST', '/users', { name, password: PASSWORD });
      if (user === null) throw new Error(`${name} is not signed in.`);
      return user;
    },
    post: (text) => send<Post>('POST', '/posts', { text, key: crypto.randomUUID() }),
  };
}
