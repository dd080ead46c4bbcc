import type { RequestHandler } from 'express';
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { HubStats } from 'tidings';
import type { Clock } from '../lib/clock.ts';

/** The process's metrics (memory, CPU, event loop, garbage collection): once, however many apps a test makes. */
const processRegistry = new Registry();
let collecting = false;

/**
 * How long one answer serves all requests, in milliseconds. Reading the process' figures walks its open files and
 * handles, which is long with thousands of connections.
 */
const ANSWER_FOR = 1000;

/** Answers in the text format of Prometheus. */
export function metrics(
  hub: { readonly stats: () => HubStats },
  clock: Pick<Clock, 'now'>,
  totals: { posts: () => number; pageViews: () => number },
): RequestHandler {
  if (!collecting) collectDefaultMetrics({ register: processRegistry });
  collecting = true;
  let stats: HubStats;
  const all = Registry.merge([processRegistry, hubRegistry(() => stats, totals)]);
  let latest: { at: number; text: Promise<string> } | undefined;

  function collect(): Promise<string> {
    const at = clock.now();
    if (latest === undefined || at - latest.at >= ANSWER_FOR) {
      stats = hub.stats();
      latest = { at, text: all.metrics() };
    }
    return latest.text;
  }

  return async (_request, response) => {
    const text = await collect();
    response.set({ 'Content-Type': all.contentType, 'Cache-Control': 'no-store' }).send(text);
  };
}

function hubRegistry(
  stats: () => HubStats,
  totals: { posts: () => number; pageViews: () => number },
): Registry {
  const registry = new Registry();

  function gauge(name: string, help: string, read: () => number): void {
    registry.registerMetric(
      new Gauge({
        name,
        help,
        registers: [],
        collect() {
          this.set(read());
        },
      }),
    );
  }

  /** The hub counts by itself; this repeats its count. */
  function counter(name: string, help: string, read: () => number): void {
    registry.registerMetric(
      new Counter({
        name,
        help,
        registers: [],
        collect() {
          this.reset();
          this.inc(read());
        },
      }),
    );
  }

  gauge('tidings_connections', 'Open event streams.', () => stats().connections);
  gauge('tidings_connections_behind', 'Event streams that are catching up.', () => stats().behind);
  gauge('tidings_topics', 'Distinct topics and patterns that are asked for.', () => stats().topics);
  gauge('tidings_log_head', 'The seq of the newest event of the log.', () => stats().tail.head);
  gauge('tidings_tail_events', 'Newest events of the log, kept in memory.', () => stats().tail.events);
  gauge('tidings_tail_bytes', 'Their bytes.', () => stats().tail.bytes);
  gauge(
    'tidings_delivery_lag_p50_seconds',
    'Publish to write, median of the newest flushes.',
    () => stats().deliveryLag.p50 / 1000,
  );
  gauge(
    'tidings_delivery_lag_p99_seconds',
    'Publish to write, p99 of the newest flushes.',
    () => stats().deliveryLag.p99 / 1000,
  );
  counter('tidings_connected_total', 'Event streams opened.', () => stats().connected);
  counter('tidings_published_events_total', 'Events published.', () => stats().published);
  counter('tidings_delivered_events_total', 'Events written, once per connection.', () => stats().delivered);
  counter('tidings_written_bytes_total', 'Bytes written to event streams.', () => stats().bytes);
  counter(
    'tidings_stalled_total',
    'Event streams dropped since their peer took nothing.',
    () => stats().stalled,
  );
  gauge('live_posts', 'Posts that exist.', totals.posts);
  counter('live_page_views_total', 'Page views of all time.', totals.pageViews);
  return registry;
}
