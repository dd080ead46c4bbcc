/** One number of a metric. */
export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** If it isn't the metric's own name: a histogram's parts. */
  readonly metricName?: string;
}

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** A metric without its numbers. */
export interface MetricInfo {
  readonly name: string;
  readonly type: MetricType;
  /** One sentence, with the unit. */
  readonly help: string;
  /** The label that tells its samples apart, if it has several. */
  readonly label?: string;
}

export interface Metric extends MetricInfo {
  readonly samples: readonly Sample[];
}

/** The text format of Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/ */
export const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8';

export function toText(metrics: readonly Metric[]): string {
  return metrics.map(textOf).join('\n');
}

function textOf({ name, type, help, samples }: Metric): string {
  const lines = samples.map(({ metricName = name, labels, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(String(text))}"`);
    return `${metricName}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${numberOf(value)}`;
  });
  return [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n');
}

function numberOf(value: number): string {
  return value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
