import { fileURLToPath } from 'node:url';

export interface Settings {
  readonly host: string;
  readonly port: number;
  /** The folder with the chats and the log. */
  readonly data: string;
  /** A provider that speaks OpenAI's API; without one, the app starts a model of its own. */
  readonly provider: Provider | undefined;
}

export interface Provider {
  readonly baseURL: string;
  readonly apiKey: string | undefined;
  readonly models: readonly string[];
}

/** @throws {Error} that says which variable is wrong. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const port = Number(env['PORT'] ?? 3000);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`Expected PORT to be a number from 0 to 65535, got "${env['PORT']}".`);
  return {
    host: env['HOST'] ?? '127.0.0.1',
    port,
    data: env['DATA'] ?? fileURLToPath(new URL('../../data/', import.meta.url)),
    provider: readProvider(env),
  };
}

function readProvider(env: NodeJS.ProcessEnv): Provider | undefined {
  const { OPENAI_BASE_URL: url, OPENAI_API_KEY: apiKey, OPENAI_MODELS: names } = env;
  if (url === undefined && apiKey === undefined) return undefined;
  const baseURL = url ?? 'https://api.openai.com/v1';
  if (!URL.canParse(baseURL)) throw new Error(`Expected OPENAI_BASE_URL to be a URL, got "${baseURL}".`);
  const models = (names ?? '').split(',').flatMap((name) => name.trim() || []);
  if (models.length === 0)
    throw new Error('With a provider, set OPENAI_MODELS to the names of its models, separated by commas.');
  return { baseURL, apiKey, models };
}
