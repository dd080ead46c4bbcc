import type { RequestHandler } from 'express';
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import { type MeasuredHub, hubMetrics } from 'tidings/metrics';
import type { Clock } from '../lib/clock.ts';

/** The process's metrics (memory, CPU, event loop, garbage collection): once, however many apps a test makes. */
const processRegistry = new Registry();
let collecting = false;

/**
 * How long one answer serves all requests, in milliseconds. Reading the process' figures walks its open files and
 * handles, which is long with thousands of connections.
 */
const ANSWER_FOR = 1000;

/** Answers in the text format of Prometheus: process, hub and app. */
export function metrics(
  hub: MeasuredHub,
  clock: Pick<Clock, 'now'>,
  totals: { posts: () => number; pageViews: () => number },
): RequestHandler {
  if (!collecting) collectDefaultMetrics({ register: processRegistry });
  collecting = true;
  const registry = new Registry();
  hubMetrics(hub).register(registry);
  const all = Registry.merge([processRegistry, registry, appRegistry(totals)]);
  let latest: { at: number; text: Promise<string> } | undefined;

  function collect(): Promise<string> {
    const at = clock.now();
    if (latest === undefined || Math.abs(at - latest.at) >= ANSWER_FOR) latest = { at, text: all.metrics() };
    return latest.text;
  }

  return async (_request, response) => {
    const text = await collect();
    response.set({ 'Content-Type': all.contentType, 'Cache-Control': 'no-store' }).send(text);
  };
}

function appRegistry(totals: { posts: () => number; pageViews: () => number }): Registry {
  const registry = new Registry();
  new Gauge({
    name: 'live_posts',
    help: 'Posts that exist.',
    registers: [registry],
    collect() {
      this.set(totals.posts());
    },
  });
  new Counter({
    name: 'live_page_views_total',
    help: 'Page views of all time.',
    registers: [registry],
    // The database counts; this repeats its count.
    collect() {
      this.reset();
      this.inc(totals.pageViews());
    },
  });
  return registry;
}
