import type { RequestHandler } from 'express';
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { Hub } from 'tidings';

/** Those of the process (memory, CPU, event loop, garbage collection): once, however many apps a test makes. */
const processRegistry = new Registry();
let collecting = false;

/** Answers in the text format of Prometheus. */
export function metrics(hub: Hub, totals: { posts: () => number; pageViews: () => number }): RequestHandler {
  if (!collecting) collectDefaultMetrics({ register: processRegistry });
  collecting = true;
  const registry = hubRegistry(hub, totals);
  const all = Registry.merge([processRegistry, registry]);
  return async (_request, response) => {
    const text = await all.metrics();
    response.set({ 'Content-Type': all.contentType, 'Cache-Control': 'no-store' }).send(text);
  };
}

function hubRegistry(hub: Hub, totals: { posts: () => number; pageViews: () => number }): Registry {
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

  gauge('tidings_connections', 'Open event streams.', () => hub.stats().connections);
  gauge('tidings_connections_behind', 'Event streams that are catching up.', () => hub.stats().behind);
  gauge('tidings_topics', 'Distinct topics and patterns that are asked for.', () => hub.stats().topics);
  gauge('tidings_log_head', 'The seq of the newest event of the log.', () => hub.stats().tail.head);
  gauge('tidings_tail_events', 'Newest events of the log, kept in memory.', () => hub.stats().tail.events);
  gauge('tidings_tail_bytes', 'Their bytes.', () => hub.stats().tail.bytes);
  gauge(
    'tidings_delivery_lag_p50_seconds',
    'Publish to write, median of the newest flushes.',
    () => hub.stats().deliveryLag.p50 / 1000,
  );
  gauge(
    'tidings_delivery_lag_p99_seconds',
    'Publish to write, p99 of the newest flushes.',
    () => hub.stats().deliveryLag.p99 / 1000,
  );
  counter('tidings_connected_total', 'Event streams opened.', () => hub.stats().connected);
  counter('tidings_published_events_total', 'Events published.', () => hub.stats().published);
  counter(
    'tidings_delivered_events_total',
    'Events written, once per connection.',
    () => hub.stats().delivered,
  );
  counter('tidings_written_bytes_total', 'Bytes written to event streams.', () => hub.stats().bytes);
  counter(
    'tidings_stalled_total',
    'Event streams dropped since their peer took nothing.',
    () => hub.stats().stalled,
  );
  gauge('live_posts', 'Posts that exist.', totals.posts);
  counter('live_page_views_total', 'Page views of all time.', totals.pageViews);
  return registry;
}
