import { inspect } from 'node:util';
import { ConfigError, loadConfig } from './ops/config.ts';
import type { Config } from './ops/config.ts';
import { createLogger } from './ops/logger.ts';
import { serve } from './serve.ts';

/** Added to the server's own deadline, in case something hangs although it should not. */
const LAST_RESORT = 2000;

/** `process.exit` would wait for a transaction of LMDB, which waits for this thread. */
function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
}

async function main(config: Config): Promise<void> {
  const log = createLogger(config.logLevel);

  // The state of the process is unknown then; its supervisor restarts it. Every answered change is on the disk.
  process.on('uncaughtException', (error, origin) => {
    log.fatal({ err: error, origin }, 'crashed');
    endAtOnce();
  });

  const server = await serve({ config, log });
  log.info({ url: server.url }, 'serving');
  if (config.sayUrl) process.stdout.write(`\nThe live app: ${server.url}\n\n`);

  async function stop(signal: NodeJS.Signals): Promise<void> {
    log.info({ signal }, 'stopping');
    setTimeout(() => {
      log.fatal('could not stop in time');
      endAtOnce();
    }, config.shutdownTimeout + LAST_RESORT).unref();
    await server.close();
    log.info('stopped');
    process.exit(0);
  }
  // A rejection of `stop` is an uncaught exception, see above. A second signal does not wait.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      process.once(signal, endAtOnce);
      void stop(signal);
    });
  }
}

try {
  await main(await loadConfig(process.env));
} catch (error) {
  // With its causes, which say what to do.
  process.stderr.write(`${error instanceof ConfigError ? error.message : inspect(error)}\n`);
  process.exitCode = 1;
}
