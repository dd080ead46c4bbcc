import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Item, ItemEvent, Matcher } from 'tidings';
import { parseStart } from 'tidings/transport';
import type { ServerContext } from '../../server/part.ts';
import type { RecentTraces } from '../trace-context.ts';
import { SERVER_PREFIX } from '../../server/reserved-topics.ts';
import { matchersIn, numberIn, queryOf } from './query.ts';

/** Seconds after which a quiet stream gets a comment, which keeps proxies from cutting it. */
const HEARTBEAT = 15;
/** Events a second that a reader gets unless it asks for more: a page shows no more. */
const RATE = 200;
const MAX_RATE = 10_000;
/** `*` alone has none of the server's own topics. */
const EVERYTHING: readonly Matcher[] = [{ pattern: '*' }, { pattern: `${SERVER_PREFIX}*` }];
/** Characters of an event's data. */
const MAX_DATA = 16_384;

/**
 * `GET /admin/v1/tail`: the events of all topics, or of those that are asked for, as a stream of JSON with their topics. What
 * comes faster than `rate` is left out and counted.
 */
export function registerTail(
  app: FastifyInstance,
  { hub, traces }: Pick<ServerContext, 'hub'> & { readonly traces: RecentTraces },
): void {
  app.get('/tail', async (request, reply) => {
    const query = queryOf(request, ['topic', 'pattern', 'rate', 'cursor']);
    const rate = numberIn(query, 'rate', RATE, MAX_RATE);
    const asked = matchersIn(query);
    const matchers = asked.length > 0 ? asked : EVERYTHING;
    const given = request.headers['last-event-id'] ?? query.get('cursor');
    // An EventSource would stay away for good after a refusal.
    const isKnown = typeof given === 'string' && given !== '' && parseStart(given) !== 'unknown';
    const leaving = new AbortController();
    const items = hub.subscribe(matchers, { cursor: isKnown ? given : hub.cursor(), signal: leaving.signal });
    const { raw } = reply.hijack();
    raw.on('close', () => leaving.abort());
    raw.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    raw.write(': tail\n\n');
    const writer = new TailWriter(raw, rate, traces);
    const timer = setInterval(() => writer.tick(), 1000);
    try {
      for await (const item of items) await writer.take(item);
    } catch {
      // The log has failed, or the hub is closed: the reader comes back with its cursor.
    } finally {
      clearInterval(timer);
      raw.end();
    }
  });
}

/** Writes as many items a second as are wanted. Keeps nothing for a slow reader: the hub keeps its cursor. */
class TailWriter {
  readonly #raw: ServerResponse;
  readonly #rate: number;
  readonly #traces: RecentTraces;
  #left: number;
  #skipped = 0;
  #quiet = 0;

  constructor(raw: ServerResponse, rate: number, traces: RecentTraces) {
    this.#raw = raw;
    this.#rate = rate;
    this.#left = rate;
    this.#traces = traces;
  }

  /** Call it once a second. */
  tick(): void {
    this.#left = this.#rate;
    if (this.#raw.writableNeedDrain) return;
    this.#quiet += 1;
    if (this.#skipped > 0) this.#raw.write(frame('skipped', { count: this.#skipped }));
    else if (this.#quiet >= HEARTBEAT) this.#raw.write(':\n\n');
    else return;
    this.#skipped = 0;
    this.#quiet = 0;
  }

  async take(item: Item): Promise<void> {
    if (item.kind === 'event' || item.kind === 'state') {
      this.#left -= 1;
      if (this.#left < 0) this.#skipped += 1;
      else {
        // A reader may be faster than its publisher's own answer, with which the trace is noted.
        if (item.kind === 'event' && this.#traces.of(item.cursor) === undefined) await nextTurn();
        await this.#write(this.#frameOf(item));
      }
    } else if ('gaps' in item && item.gaps.length > 0) {
      await this.#write(frame('gap', { gaps: item.gaps }));
    }
  }

  #frameOf(item: Item & { kind: 'event' | 'state' }): string {
    if (item.kind === 'state') return frame('state', viewOf(item));
    const traceId = this.#traces.of(item.cursor);
    return frame('event', { ...viewOf(item), ...(traceId !== undefined && { traceId }) }, item.cursor);
  }

  async #write(text: string): Promise<void> {
    this.#quiet = 0;
    await write(this.#raw, text);
  }
}

async function write(raw: ServerResponse, text: string): Promise<void> {
  if (raw.destroyed || raw.write(text)) return;
  await Promise.race([once(raw, 'drain'), once(raw, 'close')]);
}

function frame(type: string, value: unknown, cursor?: string): string {
  return `event: ${type}\n${cursor === undefined ? '' : `id: ${cursor}\n`}data: ${JSON.stringify(value)}\n\n`;
}

function viewOf(item: ItemEvent): object {
  const { topics, type, data, key, tombstone, time, private: isPrivate } = item;
  const isCut = data.length > MAX_DATA;
  return {
    topics,
    type,
    key,
    tombstone,
    private: isPrivate,
    time,
    data: isCut ? data.slice(0, MAX_DATA) : data,
    ...(isCut && { length: data.length }),
  };
}
