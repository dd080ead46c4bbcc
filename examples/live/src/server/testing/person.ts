import { VISIT_HEADERS, countingTopics, trimPath } from '../../shared/api.ts';
import type { Notification, Post, SessionInfo, User } from '../../shared/api.ts';
import { openStream } from './stream.ts';
import type { Json, Stream } from './stream.ts';

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON; the test asserts its shape. */
  body: Json;
}

/** Somebody with a browser of their own: cookies are kept, and requests say that they are the app's own. */
export interface Person {
  /** Set once signed in. */
  user: User;
  cookies: Map<string, string>;
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  get(path: string): Promise<Answer>;
  signUp(name: string, password?: string): Promise<SessionInfo>;
  post(text: string): Promise<Post>;
  notifications(): Promise<Notification[]>;
  stream(query: string, headers?: Record<string, string>): Promise<Stream>;
  /** The stream of a page that is being looked at, and nothing else. `view`: the number of this load of it. */
  view(page: string, view?: string): Promise<Stream>;
}

/** The query and the headers by which a page is counted. */
export function visitOf(
  page: string,
  view: string = crypto.randomUUID(),
): { query: string; headers: Record<string, string> } {
  const topics = countingTopics(trimPath(page)).map((topic) => `topic=${encodeURIComponent(topic)}`);
  return {
    query: topics.join('&'),
    headers: { [VISIT_HEADERS.page]: page, [VISIT_HEADERS.view]: view },
  };
}

export const PASSWORD = 'correct horse battery';

export function createPerson(origin: string): Person {
  const cookies = new Map<string, string>();

  function cookieHeader(): Record<string, string> {
    const pairs = [...cookies].map(([name, value]) => `${name}=${value}`);
    return pairs.length === 0 ? {} : { Cookie: pairs.join('; ') };
  }

  function keepCookies(headers: Headers): void {
    for (const line of headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const at = pair.indexOf('=');
      if (pair.slice(at + 1) === '') cookies.delete(pair.slice(0, at));
      else cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
  }

  const person: Person = {
    user: { id: 0, name: '' },
    cookies,
    async send(method, path, body, headers = {}) {
      const response = await fetch(new URL(path, origin), {
        method,
        redirect: 'manual',
        headers: {
          // The server may close a kept-alive connection at the very moment when it is used again.
          Connection: 'close',
          ...cookieHeader(),
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      keepCookies(response.headers);
      const text = await response.text();
      const isJson = /json/.test(response.headers.get('Content-Type') ?? '');
      return {
        status: response.status,
        headers: response.headers,
        text,
        body: isJson ? JSON.parse(text) : undefined,
      };
    },
    get: (path) => person.send('GET', path),
    async signUp(name, password = PASSWORD) {
      const { status, body } = await person.send('POST', '/users', { name, password });
      if (status !== 201) throw new Error(`${name} could not sign up: ${status} ${JSON.stringify(body)}`);
      person.user = body.user;
      return body;
    },
    async post(text) {
      const { status, body } = await person.send('POST', '/posts', { text });
      if (status !== 201) throw new Error(`not posted: ${status} ${JSON.stringify(body)}`);
      return body;
    },
    async notifications() {
      return (await person.get('/notifications')).body.notifications;
    },
    async stream(query, headers = {}) {
      const stream = await openStream(new URL(`/events?${query}`, origin), { ...cookieHeader(), ...headers });
      keepCookies(stream.response.headers);
      return stream;
    },
    view(page, view) {
      const { query, headers } = visitOf(page, view);
      return person.stream(query, headers);
    },
  };
  return person;
}
