import type { ClusterStats, HealthOptions, HubHealth, HubStats } from '../hub/index.ts';
import { anObjectWith, assertOptions, invalidOption } from '../protocol/options.ts';
import { HUB_METRICS, type HubMetric, type Reading } from './hub-metric.ts';
import { HUB_METRICS_OPTIONS, type HubMetricsOptions } from './options.ts';
import { type MetricInfo, type MetricType, type Sample, TEXT_FORMAT, toText } from './metric.ts';

export type { HubMetricsOptions } from './options.ts';
export type { MetricInfo, MetricType } from './metric.ts';

/** The part of a hub that is needed here. */
export interface MeasuredHub {
  stats(): HubStats;
  stats(options: { readonly cluster: true }): ClusterStats;
  health(options?: HealthOptions): Promise<HubHealth>;
}

/** A registry of `prom-client`, from version 13 on. */
export interface MetricRegistry {
  registerMetric(metric: never): void;
}

export interface HubMetrics {
  /** The `Content-Type` of `text()`. */
  readonly contentType: string;
  /** All metrics, in the text format of Prometheus. */
  text(): Promise<string>;
  /** Adds them to a registry of `prom-client`, next to your own and the process's. */
  register(registry: MetricRegistry): void;
}

/** The names, types and meanings of all metrics. */
export const metricInfos: readonly MetricInfo[] = HUB_METRICS.map(({ name, type, help, label }) => ({
  name,
  type,
  help,
  ...(label !== undefined && { label }),
}));

/**
 * A hub's metrics for Prometheus. The hub counts anyway; reading costs well under a millisecond, and one question to the
 * log's engine.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function hubMetrics(hub: MeasuredHub, options: HubMetricsOptions = {}): HubMetrics {
  const check = anObjectWith('a hub of `createHub`', 'stats', 'health');
  if (!check.accepts(hub)) throw invalidOption('hub', `Expected the first argument to be ${check.expected}.`);
  assertOptions(options, HUB_METRICS_OPTIONS);
  const { labels: shared = {}, within = 1000 } = options;
  let reading: Promise<Reading> | undefined;

  /** One reading serves all metrics of a registry, which asks for each of them at once. */
  function read(): Promise<Reading> {
    reading ??= readAll(hub, within).finally(() => {
      reading = undefined;
    });
    return reading;
  }

  function samplesOf(metric: HubMetric, from: Reading): readonly Sample[] {
    return metric.read(from).map((sample) => ({ ...sample, labels: { ...shared, ...sample.labels } }));
  }

  return {
    contentType: TEXT_FORMAT,
    async text() {
      const from = await read();
      return toText(HUB_METRICS.map((metric) => ({ ...metric, samples: samplesOf(metric, from) })));
    },
    register(registry) {
      for (const metric of HUB_METRICS) {
        const forRegistry = new RegisteredMetric(metric, async () => samplesOf(metric, await read()));
        registry.registerMetric(forRegistry as never);
      }
    },
  };
}

async function readAll(hub: MeasuredHub, within: number): Promise<Reading> {
  const health = await hub.health({ within });
  return { stats: hub.stats(), health, nodes: hub.stats({ cluster: true }).nodes.length };
}

/** A metric in the shape that a registry of `prom-client` asks for. */
class RegisteredMetric {
  /** The registry changes it for the OpenMetrics format. */
  name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly aggregator = 'sum' as const;
  readonly #samples: () => Promise<readonly Sample[]>;

  constructor({ name, help, type }: MetricInfo, samples: () => Promise<readonly Sample[]>) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.#samples = samples;
  }

  async get(): Promise<object> {
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values: await this.#samples() };
  }

  /** For `registry.resetMetrics()`. The hub goes on counting. */
  reset(): void {}
}
