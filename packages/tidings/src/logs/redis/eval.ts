import { createHash } from 'node:crypto';
import { createLogError, extendLineage } from '../../log/index.ts';
import { type Reply, isReplyError, replyCode } from './replies.ts';
import { APPEND, ASSERT_WHOLE, WAKE } from './script.ts';
import { type Store, readState } from './store.ts';

/**
 * Begins a new epoch, unless somebody else just has: the log goes on from the head it has, and remembers where the old
 * epoch ended.
 */
const BEGIN = `#!lua
local p = ARGV[1]
${ASSERT_WHOLE}
${WAKE}
local meta = p .. 'meta'
if redis.call('HGET', meta, 'view') ~= ARGV[2] then return 0 end
redis.call('HSET', meta, 'view', ARGV[3], 'epoch', ARGV[4], 'lineage', ARGV[5])
wake((redis.call('HGET', meta, 'head') or '0') .. '-*', 'new', 'epoch')
return 1
`;

/** How often a call tries to agree with others on a view. */
const TRIES = 10;

/**
 * The script that changes the log, fenced by what a server knows of it. Its text names a *view*, which is a random id in
 * the log. Scripts are neither replicated nor stored, so a server that was started anew, or took over from another one,
 * knows no script of that view, and writes nothing: it may have lost the log's end. Then a new epoch begins, with a new
 * view.
 */
export class FencedScript {
  readonly #store: Store;
  #view: string;
  /** Of the script's text with this view. */
  #hash: string;

  constructor(store: Store, view: string) {
    this.#store = store;
    this.#view = view;
    this.#hash = hashOf(view);
  }

  /** Makes a server know the script of this view. */
  static load({ connection, key }: Store, view: string): Promise<Reply> {
    const text = textOf(view);
    // A cluster's client finds the node by a key. To be run, the script is cached first; without arguments it fails then.
    return connection.isCluster
      ? connection.send(['EVAL', text, '1', key('log')]).catch((error: unknown) => {
          if (!isReplyError(error)) throw error;
          return null;
        })
      : connection.send(['SCRIPT', 'LOAD', text]);
  }

  /** @param within Milliseconds to wait for the answer. @throws {TidingsError} `log/unavailable`. */
  async run(args: readonly string[], within: number): Promise<Reply> {
    const { connection, key } = this.#store;
    for (let tries = 0; tries < TRIES; tries += 1) {
      try {
        return await connection.send(['EVALSHA', this.#hash, '1', key('log'), ...args], within);
      } catch (error) {
        if (replyCode(error) !== 'NOSCRIPT') throw error;
        this.#view = await this.#renew();
        this.#hash = hashOf(this.#view);
      }
    }
    throw createLogError('log/unavailable', 'The processes that share the log don’t agree on its epoch.');
  }

  /** @returns the view to go on with. */
  async #renew(): Promise<string> {
    const { connection, key, prefix } = this.#store;
    const view = String(await connection.send(['HGET', key('meta'), 'view']));
    const before = await readState(this.#store);
    // Somebody else has renewed it, or the log was replaced by another.
    if (view !== this.#view || before === undefined) return view;
    const next = randomId();
    await FencedScript.load(this.#store, next);
    const lineage = extendLineage(before.lineage, before.epoch, before.head);
    const args = [prefix, view, next, randomId(), JSON.stringify(lineage)];
    const isBegun = await connection.send(['EVAL', BEGIN, '1', key('log'), ...args]);
    return Number(isBegun) === 1 ? next : String(await connection.send(['HGET', key('meta'), 'view']));
  }
}

export function randomId(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 16);
}

function hashOf(view: string): string {
  return createHash('sha1').update(textOf(view)).digest('hex');
}

function textOf(view: string): string {
  return `${APPEND}-- ${view}\n`;
}
