import { type Check, type Checks, aNumber } from '../protocol/options.ts';

export interface HubMetricsOptions {
  /** Labels for each sample, such as `{ hub: 'chat' }` if a process has several hubs. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Milliseconds that the log's engine has to answer, or `tidings_log_up` is 0. Default 1,000. */
  readonly within?: number;
}

const OWN_LABELS: ReadonlySet<string> = new Set(['verdict', 'code', 'reason', 'le']);

const LABELS: Check = {
  expected: 'an object of label names and texts',
  accepts: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  within(labels: Readonly<Record<string, unknown>>, name, error) {
    for (const [label, value] of Object.entries(labels)) {
      // https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels
      if (!/^(?!__)[a-zA-Z_]\w*$/.test(label) || OWN_LABELS.has(label)) {
        throw error(name, `\`${name}\` can't have a label "${label}".`);
      }
      if (typeof value !== 'string')
        throw error(`${name}.${label}`, `Expected \`${name}.${label}\` to be a text.`);
    }
  },
};

export const HUB_METRICS_OPTIONS: Checks<HubMetricsOptions> = {
  labels: LABELS,
  within: aNumber({ min: 1, finite: true }),
};
