import { type Logger, pino } from 'pino';
import type { Command } from '../cli/command.ts';
import { flagsOf } from '../config/flags.ts';
import { loadSettings, settingsOrThrow } from '../config/load.ts';
import type { Settings } from '../config/setting.ts';
import { developmentOf } from '../server/development.ts';
import { gatherLines } from '../server/gathered-lines.ts';
import { assertSafe } from '../server/safety.ts';
import { type RunningServer, startServer } from '../server/start-server.ts';
import { SETTINGS } from '../server/table.ts';
import { loggingLevel } from '../server/settings.ts';
import { welcome } from '../server/welcome.ts';

/** `tidings serve` */
export const serve: Command = {
  summary: 'Runs the server.',
  positionals: '',
  about:
    'Without any key for tokens it runs in development mode: on this machine only, with a key of its own, and it prints\n' +
    'a token to start with. Settings come from flags, the environment and a file, in this order of precedence.\n' +
    'SIGHUP reloads keys, limits and rules. SIGTERM ends it gently, a second one at once.',
  flags: flagsOf(SETTINGS),
  async run(given, terminal) {
    const settings = settingsOrThrow(loadSettings(SETTINGS, given, process.env));
    const development = developmentOf(settings, process.env);
    const warnings = assertSafe(settings, development !== undefined);
    // On a laptop the terminal is for people: it shows what goes wrong, and no lines of JSON about what goes well.
    const quiet = development !== undefined && settings.sourceOf(loggingLevel) === 'default';
    const logger: Logger = pino({ level: quiet ? 'error' : settings.get(loggingLevel) }, gatherLines());
    for (const warning of warnings) logger.warn(warning.fields, warning.message);
    const server = await startServer(settings, {
      logger,
      ...(development !== undefined && { developmentKey: development.key }),
    });
    logger.info({ publicUrl: server.publicUrl, internalUrl: server.internalUrl }, 'serving');
    if (development !== undefined) terminal.out(await welcome(server, development, settings));
    return untilStopped(server, () => settingsOrThrow(loadSettings(SETTINGS, given, process.env)), logger);
  },
};

/** `process.exit` would wait for a transaction of LMDB, which waits for this thread. */
function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** @returns the exit status, once a signal has ended the server. */
function untilStopped(server: RunningServer, load: () => Settings, logger: Logger): Promise<number> {
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (signal: NodeJS.Signals): void => {
      if (stopping) {
        logger.warn({ signal }, 'stopping at once');
        endAtOnce();
      }
      stopping = true;
      logger.info({ signal }, 'draining');
      server.close().then(
        () => {
          logger.info('stopped');
          resolve(0);
        },
        (error: unknown) => {
          logger.fatal({ err: error }, 'could not stop in order');
          // Anything still open would keep the process alive.
          endAtOnce();
        },
      );
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    process.on('SIGHUP', () => void reload(server, load, logger));
  });
}

async function reload(server: RunningServer, load: () => Settings, logger: Logger): Promise<void> {
  try {
    await server.reload(load());
    logger.info('reloaded the configuration');
  } catch (error) {
    logger.error({ err: error }, 'could not reload the configuration; the former one still counts');
  }
}
