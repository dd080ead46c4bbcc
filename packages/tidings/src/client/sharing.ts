import { openBody, toBytes } from './body.ts';
import type { Life } from './life.ts';
import type { ClientOptions, Settings } from './options.ts';
import { requestHeaders, requestInit } from './request.ts';
import {
  type Answer,
  type Bytes,
  createCounts,
  createSharedStream,
  type Init,
  type Query,
  type SharedStream,
  webSharedEnvironment,
} from './shared/index.ts';
import { isMatcher } from './plain-topics.ts';
import type { Wish } from './topics.ts';
import { streamUrl, takeTopics } from './url.ts';
import { upstreamOpener } from './upstream.ts';

/** What a client that shares has between itself and the server. Clients load this file with their first request. */
export interface Sharing {
  /** Undefined where tabs can't find each other. */
  readonly stream: SharedStream | undefined;
  change(wish: Wish, life: Life): Promise<string>;
}

export function share(settings: Settings, options: ClientOptions): Sharing {
  return { stream: openStream(settings, options), change: countedChanges(settings) };
}

/** Each `unsubscribe` takes back one `subscribe`: components of a page don't know of each other. */
function countedChanges({ topics }: Settings): Sharing['change'] {
  const counts = createCounts(topics);
  let last = '';
  return async ({ add, drop }, life) => {
    const added = add.filter(isMatcher);
    counts.add(added);
    const wish = { add, drop: drop.every(isMatcher) ? counts.drop(drop) : drop };
    if (wish.add.length + wish.drop.length === 0) return last;
    try {
      last = await life.change(wish);
      return last;
    } catch (error) {
      counts.drop(added);
      throw error;
    }
  };
}

function openStream(settings: Settings, { shared, headers }: ClientOptions): SharedStream | undefined {
  const own = typeof shared === 'object' ? shared : {};
  const environment = own.environment ?? webSharedEnvironment();
  if (environment === undefined) return undefined;
  const labelled = withParameter(settings.url, 'labels=1');
  // A page that reconnects has the states, and the stream is the same for all.
  const cursorIn = settings.cursorIn ?? 'header';
  return createSharedStream({
    name: nameFor(settings, own.key, headers),
    fetch: settings.fetch,
    read: async (query, signal) => {
      const init = await readInit(
        settings,
        { ...query, inHeader: !query.asNew && cursorIn === 'header' },
        signal,
      );
      return settings.fetch(readUrl(settings, labelled, query, cursorIn), init);
    },
    bytesOf,
    parse: (url, init) => parseRequest(settings, url, init),
    answerUrl: (url) => withParameter(withParameter(url, 'labels=1'), 'wait=0'),
    openUpstream: upstreamOpener({
      ...settings,
      url: labelled,
      cursorIn,
      load: undefined,
      shouldRetry: undefined,
      isLast: undefined,
      pauseHidden: false,
    }),
    environment,
    timers: settings.timers,
    random: settings.random,
    maxEventBytes: settings.maxEventBytes,
  });
}

/** What is compared before a tab asks the server, which then says for whom the stream is. */
function nameFor(
  { url, credentials, topics, cursorIn }: Settings,
  key: string | undefined,
  headers: ClientOptions['headers'],
): string {
  const fixed =
    headers === undefined || typeof headers === 'function' ? [] : [...new Headers(headers as never)];
  // Names of locks can be seen in tools, so tokens don't belong there.
  const identity = fixed.length === 0 ? '' : digest(JSON.stringify(fixed));
  return [
    url,
    credentials ?? '',
    cursorIn ?? '',
    topics.length === 0 ? 'fixed' : '',
    identity,
    key ?? '',
  ].join(' ');
}

/** 53 bits of FNV-1a's kind, for telling apart; who may share is for the server to say. */
function digest(text: string): string {
  let [high, low] = [0xdeadbeef, 0x41c6ce57];
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    high = Math.imul(high ^ code, 2_654_435_761);
    low = Math.imul(low ^ code, 1_597_334_677);
  }
  return (4_294_967_296 * (2_097_151 & low) + (high >>> 0)).toString(36);
}

function readUrl(settings: Settings, labelled: string, query: Query, cursorIn: 'header' | 'query'): string {
  const { topics, cursor, asNew } = query;
  const inQuery = asNew || cursorIn === 'query';
  return streamUrl(labelled, {
    topics,
    cursor: inQuery ? { name: settings.cursorName, value: cursor } : undefined,
    wait: 0,
  });
}

async function readInit(
  settings: Settings,
  { cursor, inHeader }: { readonly cursor: string; readonly inHeader: boolean },
  signal: AbortSignal,
): Promise<Init> {
  const accept = 'text/event-stream, application/problem+json';
  const own = inHeader ? { accept, 'last-event-id': cursor } : { accept };
  const headers = await requestHeaders(settings, own, signal);
  return requestInit(settings, 'GET', headers, undefined, signal);
}

/** @returns undefined for a whole answer, which is not shared. */
function parseRequest({ cursorName }: Settings, url: string, { headers }: Init) {
  const { searchParams } = new URL(url);
  if (searchParams.has('wait')) return undefined;
  const header = headers.get('last-event-id');
  const { topics } = takeTopics(new URL(url));
  return { topics, cursor: header ?? searchParams.get(cursorName) ?? undefined, resumes: header !== null };
}

function bytesOf({ body }: Answer): Bytes {
  const source = openBody(body);
  return {
    async read() {
      const { done = false, value } = (await source?.read()) ?? { done: true };
      return done ? { done } : { value: toBytes(value) };
    },
    cancel: () => source?.cancel(),
  };
}

function withParameter(url: string, parameter: string): string {
  const base = url.replace(/#.*$/s, '');
  const separator = base.includes('?') ? (/[?&]$/.test(base) ? '' : '&') : '?';
  return base + separator + parameter;
}
