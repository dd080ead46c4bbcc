import { openBody, toBytes } from './body.ts';
import type { ClientOptions } from './options.ts';
import type { Settings } from './settings.ts';
import { requestHeaders, requestInit } from './request.ts';
import { opensStream } from './response.ts';
import {
  type Answer,
  type Bytes,
  createSharedStream,
  type Init,
  type Query,
  type SharedStream,
  webSharedEnvironment,
} from './shared/index.ts';
import { CURSOR_PARAMETER, parameterOf, streamUrl, takeTopics } from './url.ts';
import { upstreamOpener } from './upstream.ts';

const LABELS = ['labels', '1'] as const;

/**
 * The layer between a client that shares and the server. Clients load this file with their first request.
 *
 * @returns undefined where tabs can't find each other.
 */
export async function openStream(
  settings: Settings,
  { shared, headers }: ClientOptions,
): Promise<SharedStream | undefined> {
  const own = typeof shared === 'object' ? shared : {};
  const environment = own.environment ?? (await webSharedEnvironment());
  if (environment === undefined) return undefined;
  const labelled = streamUrl(settings.url, [LABELS]);
  const place = placeOf(settings);
  return createSharedStream({
    name: nameFor(settings, own.key, headers),
    fetch: settings.fetch,
    read: async (query, signal) => {
      const inHeader = !query.asNew && !place.inQuery;
      const init = await readInit(settings, inHeader ? query.cursor : undefined, signal);
      return settings.fetch(readUrl(labelled, query, place), init);
    },
    isStream: opensStream,
    bytesOf,
    parse: (url, init) => parseRequest(place, url, init),
    answerUrl: (url) => streamUrl(url, [LABELS, ['wait', '0']]),
    openUpstream: upstreamOpener({
      ...settings,
      url: labelled,
      // A page that reconnects has the states: in the query, the cursor would bring them again.
      cursorIn: settings.cursorIn ?? 'header',
      load: undefined,
      shouldRetry: undefined,
      isLast: undefined,
      once: undefined,
      whileHidden: undefined,
      shared: undefined,
    }),
    environment,
    timers: settings.timers,
    random: settings.random,
    maxEventBytes: settings.maxEventBytes,
  });
}

/** The parts of a request that are compared before a tab asks the server, which then says for whom the stream is. */
function nameFor(
  { url, credentials, topics, cursorIn }: Settings,
  key: string | undefined,
  headers: ClientOptions['headers'],
): string {
  const fixed = typeof headers === 'function' ? [] : [...new Headers(headers as never)];
  // Names of locks can be seen in tools, so tokens don't belong there.
  const identity = fixed.length === 0 ? '' : digest(JSON.stringify(fixed));
  // A URL without topics has those that the app chose: all events are for all tabs.
  return JSON.stringify([url, credentials, cursorIn, topics.length === 0, identity, key]);
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

/** Where requests carry the cursor. */
interface Place {
  readonly inQuery: boolean;
  readonly name: string;
}

function placeOf({ cursorIn }: Settings): Place {
  return {
    inQuery: cursorIn !== undefined && cursorIn !== 'header',
    name: typeof cursorIn === 'object' ? cursorIn.query : CURSOR_PARAMETER,
  };
}

function readUrl(labelled: string, { topics, cursor, asNew }: Query, place: Place): string {
  const name = asNew || place.inQuery ? place.name : undefined;
  const own = name === undefined ? [] : [[name, cursor] as const];
  return streamUrl(labelled, [...topics.map(parameterOf), ...own, ['wait', '0']], name);
}

async function readInit(settings: Settings, cursor: string | undefined, signal: AbortSignal): Promise<Init> {
  const accept = 'text/event-stream, application/problem+json';
  const own = cursor === undefined ? { accept } : { accept, 'last-event-id': cursor };
  const headers = await requestHeaders(settings, own, signal);
  return requestInit(settings, 'GET', headers, undefined, signal);
}

/** @returns undefined for a whole answer, which is not shared. */
function parseRequest({ name }: Place, url: string, { headers }: Init) {
  const { searchParams } = new URL(url);
  if (searchParams.has('wait')) return undefined;
  const header = headers.get('last-event-id');
  const { topics } = takeTopics(new URL(url));
  return { topics, cursor: header ?? searchParams.get(name) ?? undefined, resumes: header !== null };
}

function bytesOf({ body }: Answer): Bytes {
  const controller = new AbortController();
  const read = openBody(body, controller.signal);
  return {
    async read() {
      const { done = false, value } = await read();
      return done ? { done } : { value: toBytes(value) };
    },
    cancel: () => controller.abort(),
  };
}
