import { readFileSync } from 'node:fs';
import { Counter, Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { startHub, withMethods } from '../../test/fixture.ts';
import { hubMetrics, metricInfos } from './index.ts';

/** The numbers in a text, by name and labels. */
function parse(text: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

describe('the metrics of a hub', () => {
  test('count what happens in it', async () => {
    const { hub, clock, follow, publish } = startHub();
    await follow();
    const other = await follow({}, 'other.1');
    await publish('a', 1, 2);
    clock.tick();
    other.drop();
    await expect(hub.publish('', 1)).rejects.toThrow();
    expect(parse(await hubMetrics(hub).text())).toMatchObject({
      tidings_connections: 1,
      tidings_connections_behind: 0,
      'tidings_connects_total{verdict="new"}': 1,
      'tidings_connects_total{verdict="gap"}': 1,
      'tidings_disconnects_total{reason="left"}': 1,
      'tidings_gaps_total{reason="epoch"}': 1,
      tidings_published_events_total: 2,
      'tidings_publish_failures_total{code="topic/invalid"}': 1,
      tidings_publish_seconds_count: 2,
      tidings_delivered_events_total: 4,
      'tidings_delivery_seconds_bucket{le="0.0005"}': 1,
      'tidings_delivery_seconds_bucket{le="+Inf"}': 1,
      tidings_log_head: 2,
      tidings_log_up: 1,
      tidings_ready: 1,
      tidings_nodes: 1,
    });
  });

  test('give times in seconds, in steps that add up', async () => {
    const { hub, clock, follow, publish } = startHub({ flushWindow: 300 });
    await follow();
    await publish('a', 1);
    clock.advance(300);
    const numbers = parse(await hubMetrics(hub).text());
    expect(numbers).toMatchObject({
      'tidings_delivery_seconds_bucket{le="0.25"}': 0,
      'tidings_delivery_seconds_bucket{le="0.5"}': 1,
      'tidings_delivery_seconds_bucket{le="10"}': 1,
      tidings_delivery_seconds_sum: 0.3,
      tidings_delivery_seconds_count: 1,
    });
  });

  test('say that the log is away', async () => {
    const { hub, clock } = startHub({
      wrapLog: (log) => withMethods(log, { catchUp: () => new Promise(() => {}) }),
    });
    const text = hubMetrics(hub, { within: 50 }).text();
    await Promise.resolve();
    clock.advance(50);
    expect(parse(await text)).toMatchObject({
      tidings_log_up: 0,
      tidings_ready: 0,
      tidings_log_answer_seconds: 0.05,
    });
  });

  test('are the same through a registry of prom-client, next to its own', async () => {
    const { hub, follow, publish } = startHub();
    await follow();
    await publish('a', 1);
    const metrics = hubMetrics(hub, { labels: { hub: 'x "1"\n' } });
    const registry = new Registry();
    metrics.register(registry);
    new Counter({ name: 'mine', help: 'Mine.', registers: [registry] }).inc(3);
    const both = parse(await registry.metrics());
    expect(both).toEqual({ ...parse(await metrics.text()), mine: 3 });
    expect(both).toHaveProperty(['tidings_connections{hub="x \\"1\\"\\n"}'], 1);
    expect(metrics.contentType).toBe(registry.contentType);
  });

  test('keep their names in the OpenMetrics format', async () => {
    const { hub, publish } = startHub();
    await publish('a', 1);
    const registry = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    hubMetrics(hub).register(registry);
    const twice = [await registry.metrics(), await registry.metrics()];
    for (const text of twice) {
      expect(text).toMatch(/^tidings_published_events_total 1$/m);
      expect(text).toMatch(/^# TYPE tidings_published_events counter$/m);
      expect(text.endsWith('# EOF\n')).toBe(true);
    }
  });

  test('read the hub once for all metrics of a registry', async () => {
    const { hub } = startHub();
    let asked = 0;
    const metrics = hubMetrics({
      stats: hub.stats.bind(hub),
      health: (options) => {
        asked += 1;
        return hub.health(options);
      },
    });
    const registry = new Registry();
    metrics.register(registry);
    await Promise.all([registry.metrics(), metrics.text()]);
    expect(asked).toBe(1);
  });

  test('refuse labels that would be no labels or that they use themselves, and options they do not know', () => {
    const { hub } = startHub();
    for (const labels of [{ 'a-b': 'x' }, { code: 'x' }, { __name__: 'x' }, { a: 1 }, []]) {
      expect(() => hubMetrics(hub, { labels: labels as never }), JSON.stringify(labels)).toThrow(/label/);
    }
    expect(() => hubMetrics(hub, { lables: {} } as never)).toThrow('Did you mean `labels`?');
    expect(() => hubMetrics({} as never)).toThrow('Expected the first argument to be a hub of `createHub`');
  });

  test('are all explained in docs/guides/operate.md, with their types and labels, and none that does not exist', async () => {
    const page = readFileSync(new URL('../../../../docs/guides/operate.md', import.meta.url), 'utf8');
    // The server's own have a table of their own.
    const table = page.slice(page.indexOf('| metric |'), page.indexOf('| metric of the server |'));
    const rows = [...table.matchAll(/^\| `(tidings_\w+)`(?: by `(\w+)`)? \| (\w+) \|/gm)];
    const documented = rows.map(([, name, label, type]) => `${name} ${label ?? ''} ${type}`);
    const existing = metricInfos.map(({ name, type, label }) => `${name} ${label ?? ''} ${type}`);
    expect(documented.toSorted()).toEqual(existing.toSorted());
  });
});
