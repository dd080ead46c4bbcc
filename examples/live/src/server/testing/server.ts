import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Hub } from 'tidings';
import { loadConfig } from '../ops/config.ts';
import type { Config } from '../ops/config.ts';
import { createLogger } from '../ops/logger.ts';
import { serve } from '../serve.ts';
import type { AppOptions } from '../app.ts';
import { createPerson } from './person.ts';
import type { Person } from './person.ts';

export interface TestServer {
  readonly url: string;
  readonly hub: Hub;
  readonly config: Config;
  /** A new browser, signed out. */
  person(): Person;
  /** A new browser, signed up and in. */
  signedUp(name: string): Promise<Person>;
  close(): Promise<void>;
}

/** A folder for one test, and how to remove it. */
export async function temporaryFolder(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'tidings-live-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** The app on a free port, with a database file of its own. `variables`: environment variables. */
export async function startServer(
  variables: Record<string, string> = {},
  options: Partial<AppOptions> = {},
): Promise<TestServer> {
  const { folder, remove } = await temporaryFolder();
  const config = await loadConfig({
    PORT: '0',
    HOST: '127.0.0.1',
    DATABASE_FILE: join(folder, 'live.sqlite'),
    SIGN_IN_PER_MINUTE: '1000',
    POSTS_PER_MINUTE: '1000',
    CONNECTS_PER_MINUTE: '10000',
    LOG_LEVEL: 'error',
    ...variables,
  });
  const server = await serve({
    config,
    log: createLogger(config.logLevel),
    passwordCost: { N: 2, r: 8, p: 1 },
    ...options,
  });
  return {
    url: server.url,
    hub: server.hub,
    config,
    person: () => createPerson(server.url),
    async signedUp(name) {
      const person = createPerson(server.url);
      await person.signUp(name);
      return person;
    },
    async close() {
      await server.close();
      await remove();
    },
  };
}
