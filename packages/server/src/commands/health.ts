import { type Command, UsageError, textOf } from '../cli/command.ts';
import { flagsOf } from '../config/flags.ts';
import { loadSettings, settingsOrThrow } from '../config/load.ts';
import type { Settings } from '../config/setting.ts';
import { reachable } from '../server/addresses.ts';
import { SETTINGS } from '../server/parts.ts';
import { internalHost, internalPort } from '../server/settings.ts';
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
    ...flagsOf(SETTINGS),
    live: { type: 'boolean', help: 'ask whether it is alive, not whether it is ready for traffic' },
    'internal-url': {
      type: 'string',
      value: 'URL',
      help: 'the internal port, instead of the configured one',
    },
  },
  async run(given, terminal) {
    const base =
      textOf(given, 'internal-url') ?? urlOf(settingsOrThrow(loadSettings(SETTINGS, given, process.env)));
    if (!URL.canParse(base))
      throw new UsageError(`Expected --internal-url to be a URL, got ${JSON.stringify(base)}.`);
    const url = `${base.replace(/\/+$/, '')}/health/${given.flags['live'] === true ? 'live' : 'ready'}`;
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

function urlOf(settings: Settings): string {
  return `http://${reachable(settings.get(internalHost))}:${settings.get(internalPort)}`;
}
