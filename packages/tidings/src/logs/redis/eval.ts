import type { Connection, Reply } from './connection.ts';
import { isReplyError } from './connection.ts';

/** A script that Redis knows by its hash, once it has seen it. */
export class Script {
  readonly #connection: Connection;
  readonly #text: string;
  #hash: string | undefined;

  constructor(connection: Connection, text: string) {
    this.#connection = connection;
    this.#text = text;
  }

  async run(keys: readonly string[], args: readonly string[]): Promise<Reply> {
    this.#hash ??= await this.#load();
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await this.#connection.send(['EVALSHA', this.#hash, ...rest]);
    } catch (error) {
      // A server that was started anew, or took over, knows no scripts.
      if (!isReplyError(error) || !error.message.startsWith('NOSCRIPT ')) throw error;
      this.#hash = await this.#load();
      return this.#connection.send(['EVALSHA', this.#hash, ...rest]);
    }
  }

  async #load(): Promise<string> {
    return String(await this.#connection.send(['SCRIPT', 'LOAD', this.#text]));
  }
}
