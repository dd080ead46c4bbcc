import { createHub, globalHub } from 'tidings';

export const hub = globalHub(() => createHub());
process.once('SIGTERM', () => hub.close());
