import type { Command } from '../cli/command.ts';
import { flagsOf } from '../config/flags.ts';
import { internalHost, internalPort } from '../server/settings.ts';
import { INTERNAL_FLAG, internalOf } from './internal.ts';
import { reasonOf } from './send.ts';

const TIMEOUT = 5000;

/** `tidings health` */
export const health: Command = {
  summary: 'Asks a server on this machine whether it is ready: for health checks of containers.',
  positionals: '',
  about:
    'It finds the internal port by the configuration that serve has. The exit status is 0 if the server is ready (with\n' +
    '--live, if it is alive), 1 if not or if it can’t be reached.',
  flags: {
    ...flagsOf([internalHost, internalPort]),
    live: { type: 'boolean', help: 'ask whether it is alive, not whether it is ready for traffic' },
    ...INTERNAL_FLAG,
  },
  async run(given, terminal) {
    const url = `${internalOf(given).url}/health/${given.flags['live'] === true ? 'live' : 'ready'}`;
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT), redirect: 'error' });
      terminal.out(`${(await response.text()).trimEnd()}\n`);
      return response.ok ? 0 : 1;
    } catch (error) {
      terminal.err(`${url} can't be reached: ${reasonOf(error)}\n`);
      return 1;
    }
  },
};
