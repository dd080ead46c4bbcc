import { size } from '../config/kinds.ts';
import type { Setting } from '../config/setting.ts';

export const bodyLimit: Setting<number> = {
  name: 'publish.body-limit',
  kind: size(1024, 268_435_456),
  default: 4_194_304,
  help: 'the most bytes that one request to publish may have',
};
