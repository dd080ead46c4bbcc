import { integer, list, size, text } from '../config/kinds.ts';
import type { Setting } from '../config/setting.ts';

export const bodyLimit: Setting<number> = {
  name: 'publish.body-limit',
  kind: size(1024, 268_435_456),
  default: 1_048_576,
  help: 'the most bytes that one request to publish may have',
};
export const batchLimit: Setting<number> = {
  name: 'publish.batch',
  kind: integer(1, 100_000),
  default: 1000,
  help: 'the most events that one request to publish may have',
};
export const publishRate: Setting<number | undefined> = {
  name: 'publish.rate',
  kind: integer(1, 1_000_000),
  default: undefined,
  help: 'how many events a second one credential may publish on average; more get a 429',
  defaultHelp: 'no limit',
  reloadable: true,
};
export const publishBurst: Setting<number | undefined> = {
  name: 'publish.burst',
  kind: integer(1, 10_000_000),
  default: undefined,
  help: 'how many events one credential may publish at once before its rate counts',
  defaultHelp: 'ten seconds’ worth',
  reloadable: true,
};
export const publishOrigins: Setting<readonly string[]> = {
  name: 'publish.origins',
  kind: list(text),
  default: [],
  help: 'origins whose pages may publish, such as https://app.example; * for all',
  reloadable: true,
};

export const API_SETTINGS: readonly Setting[] = [
  bodyLimit,
  batchLimit,
  publishRate,
  publishBurst,
  publishOrigins,
];
